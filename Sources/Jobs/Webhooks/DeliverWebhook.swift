import Foundation
package import HTTP
package import JobModel
package import Store

/// Sends one event to one endpoint.
///
/// At least once: a kill after the answer and before its record sends again, under the same
/// `webhook-id`, by which the receiver knows a repeat. Signed for each attempt, because receivers
/// refuse signatures older than five minutes. No transaction is open during the call.
package struct DeliverWebhook: Job {
    /// Which delivery.
    package struct Payload: Codable, Sendable {
        /// The row of the delivery.
        package let deliveryID: Int64

        private enum CodingKeys: String, CodingKey {
            case deliveryID = "delivery_id"
        }

        /// Names the delivery.
        package init(deliveryID: Int64) { self.deliveryID = deliveryID }
    }

    package static let name: JobName = "webhooks.deliver"
    package static let policy = JobPolicy(
        queue: WebhookQueue.name,
        retry: RetryPolicy(
            maximumRetries: WebhookQueue.schedule.count,
            backoff: .schedule(WebhookQueue.schedule, jitter: WebhookQueue.jitter)),
        timeLimit: .seconds(60))

    /// When our own sender is full, how long to let it work.
    static let crowdedPause: TimeInterval = 5

    private let webhooks: WebhookRepository
    private let sender: HTTPSender

    package init(webhooks: WebhookRepository, sender: HTTPSender) {
        self.webhooks = webhooks
        self.sender = sender
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        guard let delivery = try await webhooks.delivery(payload.deliveryID) else {
            throw PermanentFailure("there is no delivery \(payload.deliveryID)")
        }
        guard delivery.state == .pending else {
            return try .done(["state": delivery.state.rawValue])
        }
        guard delivery.isEndpointActive else {
            try await webhooks.markDisabled(delivery.id)
            return try .done(["state": WebhookDelivery.State.disabled.rawValue])
        }
        let call = await call(delivery, at: context.time.now)
        switch call.verdict {
        case .interrupted: throw CancellationError()
        case .crowded:
            return .snooze(until: context.time.now.addingTimeInterval(Self.crowdedPause))
        case .delivered, .gone, .again, .hopeless: break
        }
        // Also when the job is being cancelled: the call was made.
        try await webhooks.record(
            call.attempt, of: delivery, as: progress(call.verdict, delivery, context))
        return try conclude(call, delivery)
    }

    // MARK: The call

    private struct Call {
        let verdict: WebhookVerdict
        let attempt: WebhookAttempt
        /// What went wrong, in a sentence without secrets.
        let problem: String
    }

    private func call(_ delivery: WebhookDelivery, at now: Date) async -> Call {
        do throws(HTTPError) {
            let response = try await sender.send(try request(for: delivery, at: now))
            return Call(
                verdict: WebhookVerdict(response, now: now),
                attempt: WebhookAttempt(
                    at: now, status: response.status, errorCode: nil, elapsed: response.elapsed,
                    address: response.remoteAddress, response: response.body),
                problem: "the endpoint answered \(response.status)")
        } catch {
            return Call(
                verdict: WebhookVerdict(error),
                attempt: WebhookAttempt(
                    at: now, status: error.status, errorCode: error.code.rawValue, elapsed: .zero,
                    address: nil, response: []),
                problem: error.description)
        }
    }

    /// - Throws: `.badHeader` when a secret of the endpoint cannot be used.
    private func request(
        for delivery: WebhookDelivery, at now: Date
    ) throws(HTTPError) -> HTTPRequest {
        let secrets: [WebhookSecret]
        do throws(WebhookSecret.Unusable) {
            secrets = try delivery.secrets.map { text throws(WebhookSecret.Unusable) in
                try WebhookSecret(text)
            }
        } catch {
            throw HTTPError(code: .badHeader, host: nil, message: error.description)
        }
        let signature = WebhookSignature.headers(
            id: delivery.messageID, at: now, body: delivery.payload, secrets: secrets)
        return HTTPRequest(
            method: "POST", url: delivery.url,
            headers: [("Content-Type", "application/json"), ("User-Agent", "backhaul-webhooks")]
                + signature,
            body: delivery.payload)
    }

    // MARK: What follows from it

    private func progress(
        _ verdict: WebhookVerdict, _ delivery: WebhookDelivery, _ context: JobContext
    ) -> WebhookProgress {
        switch verdict {
        case .delivered: return .delivered
        case .gone: return .endpointGone(reason: "the endpoint answered 410")
        case .again(let wait) where context.attempt < context.maximumAttempts:
            let scheduled = WebhookQueue.schedule[
                min(context.attempt, WebhookQueue.schedule.count) - 1]
            let longest = (wait ?? scheduled).inSeconds * (1 + WebhookQueue.jitter)
            return .pending(until: context.time.now.addingTimeInterval(longest))
        case .again, .hopeless, .interrupted, .crowded: return .failed
        }
    }

    private func conclude(_ call: Call, _ delivery: WebhookDelivery) throws -> Verdict {
        switch call.verdict {
        case .delivered: return try .done(["state": WebhookDelivery.State.delivered.rawValue])
        case .gone: return try .done(["state": WebhookDelivery.State.failed.rawValue])
        case .hopeless: throw PermanentFailure(call.problem)
        case .again(let wait?): throw RetryLater(after: wait, call.problem)
        case .again(nil), .interrupted, .crowded:
            throw UndeliveredWebhook(description: call.problem)
        }
    }
}

/// An endpoint did not take a webhook; to be tried again by the schedule.
struct UndeliveredWebhook: Error, CustomStringConvertible {
    let description: String
}
