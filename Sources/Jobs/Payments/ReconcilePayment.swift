import Foundation
package import JobModel
import Store

/// Finds out from the gateway's own list what became of an attempt, without ever charging.
///
/// Safe to repeat: settling is a no-op the second time, and all else only reads.
package struct ReconcilePayment: Job {
    /// Which attempt to ask about.
    package struct Payload: Codable, Sendable {
        /// The attempt.
        package let attemptID: Int64

        private enum CodingKeys: String, CodingKey {
            case attemptID = "attempt_id"
        }

        /// Names the attempt.
        package init(attemptID: Int64) { self.attemptID = attemptID }
    }

    package static let name: JobName = "payments.reconcile"

    package static let policy = JobPolicy(
        queue: "payments",
        retry: RetryPolicy(
            maximumRetries: 40, backoff: .exponential(base: .seconds(30), cap: .seconds(3600))))

    private let book: PaymentBook
    private let resolver: AttemptResolver
    private let publisher: EventPublisher

    package init(resolver: AttemptResolver, publisher: EventPublisher) {
        self.resolver = resolver
        self.publisher = publisher
        book = resolver.book
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        guard let attempt = try await book.attempt(payload.attemptID) else {
            throw PermanentFailure("there is no attempt \(payload.attemptID)")
        }
        let now = context.time.now
        switch attempt.state {
        case .declined:
            return try .done(ChargeResult(declined: attempt))
        case .succeeded:
            let event = try await book.settle(
                attempt, gatewayID: attempt.gatewayID ?? "", at: now)
            return try await finish(ChargeResult(paid: attempt), event)
        case .sent, .unknown, .requiresAction, .lapsed:
            switch try await resolver.ask(about: attempt, at: now) {
            case .finished(let result, let event): return try await finish(result, event)
            case .waiting(let date): return .snooze(until: date)
            case .absent: return .snooze(until: resolver.nextAsk(about: attempt, at: now))
            case .lapsed: return try .done(ChargeResult("lapsed", attempt))
            }
        }
    }

    private func finish(_ result: ChargeResult, _ event: Int64?) async throws -> Verdict {
        if let event { try await publisher.fanOut([event]) }
        return try .done(result)
    }
}
