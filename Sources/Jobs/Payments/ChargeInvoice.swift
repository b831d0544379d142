import Foundation
package import JobModel
import Store

/// Collects one invoice through the payment gateway, at most once whatever happens.
///
/// An attempt, its key and its body are committed before the gateway is called; a resend uses the
/// same key and body; an answer that does not say whether money moved is followed by asking, never
/// by another key. See the README of this folder.
package struct ChargeInvoice: Job {
    /// Which invoice to collect.
    package struct Payload: Codable, Sendable {
        /// The invoice.
        package let invoiceID: Int64

        private enum CodingKeys: String, CodingKey {
            case invoiceID = "invoice_id"
        }

        /// Names the invoice.
        package init(invoiceID: Int64) { self.invoiceID = invoiceID }
    }

    package static let name: JobName = "payments.charge_invoice"

    package static let policy = JobPolicy(
        queue: "payments",
        retry: RetryPolicy(
            maximumRetries: 10, backoff: .exponential(base: .seconds(1), cap: .seconds(300))))

    /// How many steps one run takes: ask, give up, open, send, and one to spare.
    private static let maximumSteps = 5
    /// The wait after "too many requests" or "in progress" without a `Retry-After`.
    private static let busyWait: Duration = .seconds(2)
    /// The wait after an answer that did not come from the gateway itself.
    private static let unclearWait: Duration = .seconds(10)

    private let gateway: PaymentGateway
    private let book: PaymentBook
    private let resolver: AttemptResolver
    private let publisher: EventPublisher
    private let checkpoints: Checkpoints

    package init(
        gateway: PaymentGateway, book: PaymentBook, publisher: EventPublisher,
        checkpoints: Checkpoints = .none
    ) {
        self.gateway = gateway
        self.book = book
        self.publisher = publisher
        self.checkpoints = checkpoints
        resolver = AttemptResolver(gateway: gateway, book: book, checkpoints: checkpoints)
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        try gateway.requireSettings()
        for _ in 0..<Self.maximumSteps {
            let step = try await book.nextStep(
                invoice: payload.invoiceID, job: context.id, at: context.time.now)
            try checkpoints.pass("committed")
            switch step {
            case .finished(let result, let event):
                return try await finish(result, event)
            case .send(let attempt):
                if let verdict = try await send(attempt, context) { return verdict }
            case .ask(let attempt):
                if let verdict = try await ask(about: attempt, context) { return verdict }
            }
        }
        throw RetryLater(after: Self.unclearWait, "the attempts of the invoice keep changing")
    }

    /// Makes the call of an attempt and books the answer; `nil` when the book must be read again.
    private func send(_ attempt: PaymentAttempt, _ context: JobContext) async throws -> Verdict? {
        let reply = try await gateway.charge(attempt)
        try checkpoints.pass("charged")
        let now = context.time.now
        if case .finished(let result, let event) = try await resolver.conclude(
            attempt, reply, at: now)
        {
            return try await finish(result, event)
        }
        switch reply {
        case .busy(let retryAfter):
            throw RetryLater(
                after: retryAfter ?? Self.busyWait, "the gateway asks to call again later")
        case .unauthorized(let status):
            throw GatewayTrouble(status: status, reason: "the gateway refuses the caller")
        case .invalid(let code) where attempt.sends == 1:
            // Refused before execution, and nothing was sent under this key before.
            _ = try await book.move(attempt, to: .declined, code: code)
            throw PermanentFailure("the gateway finds the request of \(attempt.key) invalid")
        case .unclear(let code, let isStored):
            return try await doubt(attempt, code, isStored: isStored, context)
        case .invalid(let code):
            return try await doubt(attempt, code ?? "invalid", isStored: true, context)
        default:
            return try await doubt(attempt, "processing", isStored: true, context)
        }
    }

    /// Books that the outcome is unknown, and asks at once.
    private func doubt(
        _ attempt: PaymentAttempt, _ code: String, isStored: Bool, _ context: JobContext
    ) async throws -> Verdict? {
        guard
            try await book.move(attempt, to: .unknown, code: code, isAnswerStored: isStored)
        else { return nil }
        try checkpoints.pass("doubted")
        let now = context.time.now
        switch try await resolver.ask(about: attempt, at: now) {
        case .finished(let result, let event): return try await finish(result, event)
        case .waiting(let date): return .snooze(until: date)
        case .lapsed: return nil
        case .absent where isStored:
            return .snooze(until: resolver.nextAsk(about: attempt, at: now))
        case .absent:
            throw RetryLater(after: Self.unclearWait, "the gateway gave no clear answer: \(code)")
        }
    }

    /// Asks about an attempt left over from before; the same call is made again only when the
    /// gateway does not know it, and has not stored an answer to it.
    private func ask(
        about attempt: PaymentAttempt, _ context: JobContext
    ) async throws -> Verdict? {
        let now = context.time.now
        switch try await resolver.ask(about: attempt, at: now) {
        case .finished(let result, let event): return try await finish(result, event)
        case .waiting(let date): return .snooze(until: date)
        case .lapsed: return nil
        case .absent:
            guard let resent = try await book.resend(attempt, at: now) else {
                return .snooze(until: resolver.nextAsk(about: attempt, at: now))
            }
            try checkpoints.pass("committed")
            return try await send(resent, context)
        }
    }

    private func finish(_ result: ChargeResult, _ event: Int64?) async throws -> Verdict {
        if let event { try await publisher.fanOut([event]) }
        try checkpoints.pass("published")
        return try .done(result)
    }
}
