package import Enqueue
package import JobModel

/// How events and deliveries become jobs.
///
/// The ids are made from the rows, so that a job enqueued twice is recognisable in logs and results.
package struct WebhookQueue: Sendable {
    /// The queue of all webhook jobs.
    package static let name: QueueName = "webhooks"

    /// Waits between attempts: Standard Webhooks' schedule, 75 hours in all.
    static let schedule: [Duration] = [
        .seconds(5), .seconds(5 * 60), .seconds(30 * 60), .seconds(2 * 3600), .seconds(5 * 3600),
        .seconds(10 * 3600), .seconds(14 * 3600), .seconds(20 * 3600), .seconds(24 * 3600),
    ]

    /// How far a wait may differ from the schedule: ten per cent.
    static let jitter = 0.1

    /// For jobs that touch only the database and the queue.
    static let housekeeping = JobPolicy(
        queue: name,
        retry: RetryPolicy(
            maximumRetries: 10, backoff: .exponential(base: .seconds(1), cap: .seconds(60))),
        timeLimit: .seconds(60))

    private let enqueueFanOut: @Sendable ([Int64]) async throws -> Void
    private let enqueueDeliveries: @Sendable ([Int64]) async throws -> Void

    /// Puts them on the real queue.
    package init(_ enqueuer: Enqueuer) {
        enqueueFanOut = { events in
            try await enqueuer.enqueue(
                FanOutWebhooks.self,
                all: events.map {
                    (.init(eventID: $0), Self.options("webhook-fanout-\($0)"))
                })
        }
        enqueueDeliveries = { deliveries in
            try await enqueuer.enqueue(
                DeliverWebhook.self,
                all: deliveries.map {
                    (.init(deliveryID: $0), Self.options("webhook-delivery-\($0)"))
                })
        }
    }

    /// Hands them to somebody else.
    package init(
        fanOut: @escaping @Sendable ([Int64]) async throws -> Void,
        deliver: @escaping @Sendable ([Int64]) async throws -> Void
    ) {
        enqueueFanOut = fanOut
        enqueueDeliveries = deliver
    }

    private static func options(_ id: String) -> EnqueueOptions {
        var options = EnqueueOptions.id(id)
        options.ignoresResult = true
        return options
    }

    /// Enqueues the fan-out of events that are committed.
    package func fanOut(_ events: [Int64]) async throws {
        if !events.isEmpty { try await enqueueFanOut(events) }
    }

    func deliver(_ deliveries: [Int64]) async throws {
        if !deliveries.isEmpty { try await enqueueDeliveries(deliveries) }
    }
}
