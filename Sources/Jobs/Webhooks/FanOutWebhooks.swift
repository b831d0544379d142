package import JobModel
package import Store

/// Turns an event into one delivery for each endpoint that wants it.
///
/// Safe to repeat: a delivery is made once for each event and endpoint, and an event whose
/// deliveries were all enqueued is left alone. A kill in between enqueues some of them twice; the
/// second job finds the delivery done, or sends it again under the same `webhook-id`.
package struct FanOutWebhooks: Job {
    /// Which event.
    package struct Payload: Codable, Sendable {
        /// The row of the event.
        package let eventID: Int64

        private enum CodingKeys: String, CodingKey {
            case eventID = "event_id"
        }

        /// Names the event.
        package init(eventID: Int64) { self.eventID = eventID }
    }

    package static let name: JobName = "webhooks.fanout"
    package static let policy = WebhookQueue.housekeeping

    /// Deliveries enqueued in one call.
    static let page = 1000

    private let webhooks: WebhookRepository
    private let queue: WebhookQueue

    package init(webhooks: WebhookRepository, queue: WebhookQueue) {
        self.webhooks = webhooks
        self.queue = queue
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let event = payload.eventID
        switch try await webhooks.makeDeliveries(of: event, at: context.time.now) {
        case .missing: throw PermanentFailure("there is no event \(event)")
        case .fannedOut: return try .done(["deliveries": 0])
        case .waiting: break
        }
        var count = 0
        var last: Int64 = 0
        while true {
            let deliveries = try await webhooks.pendingDeliveries(
                of: event, after: last, limit: Self.page)
            guard let greatest = deliveries.last else { break }
            try await queue.deliver(deliveries)
            count += deliveries.count
            last = greatest
        }
        try await webhooks.markFannedOut(event, at: context.time.now)
        return try .done(["deliveries": count])
    }
}
