import Foundation
package import JobModel
import Logging
package import Store

/// Finds events and deliveries whose jobs were lost, and enqueues them again.
///
/// An event is committed before its fan-out is enqueued, and a delivery's job may be lost with the
/// queue server: the rows know, and this job asks them. Run it every minute.
package struct SweepWebhooks: Job {
    /// Nothing to say.
    package struct Payload: Codable, Sendable {
        package init() {}
    }

    package static let name: JobName = "webhooks.sweep"
    package static let policy = WebhookQueue.housekeeping

    /// An event older than this should have been fanned out, seconds.
    static let fanOutGrace: TimeInterval = 30
    /// A delivery this much later than it should have been tried has lost its job, seconds.
    ///
    /// Also the time before the same row is swept again, because the queue may only be long.
    static let lostAfter: TimeInterval = 600
    /// The most rows of each kind in one sweep.
    static let batch = 1000

    private let webhooks: WebhookRepository
    private let queue: WebhookQueue

    package init(webhooks: WebhookRepository, queue: WebhookQueue) {
        self.webhooks = webhooks
        self.queue = queue
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let now = context.time.now
        let events = try await webhooks.takeForgottenEvents(
            recordedBefore: now.addingTimeInterval(-Self.fanOutGrace),
            sweptBefore: now.addingTimeInterval(-Self.lostAfter), at: now, limit: Self.batch)
        try await queue.fanOut(events)
        let deliveries = try await webhooks.takeOverdueDeliveries(
            dueBefore: now.addingTimeInterval(-Self.lostAfter), at: now, limit: Self.batch)
        try await queue.deliver(deliveries)
        if !events.isEmpty || !deliveries.isEmpty {
            context.logger.notice(
                "lost webhook jobs were enqueued again",
                metadata: [LogKey.count: "\(events.count + deliveries.count)"])
        }
        return try .done(["events": events.count, "deliveries": deliveries.count])
    }
}
