package import Foundation
import JobModel
package import Postgres
package import Store

/// Something that happened, for whoever subscribed to it.
package struct DomainEvent: Sendable {
    /// What kind of thing, such as `payment.received`.
    package let type: String
    /// Two records with one key are one event, however often a job is repeated.
    package let key: String
    /// The facts.
    package let data: any Encodable & Sendable

    package init(type: String, key: String, data: any Encodable & Sendable) {
        self.type = type
        self.key = key
        self.data = data
    }
}

/// Tells the world what happened, in two steps: recorded with the change itself, fanned out after.
///
/// A job records in the transaction of its change, and fans out after the commit, on repeats as
/// well: so a kill between the two is repaired by the redelivery, and a second fan-out finds every
/// delivery made already.
package struct EventPublisher: Sendable {
    /// Enqueues `webhooks.fanout` for events by their ids.
    package typealias FanOut = @Sendable ([Int64]) async throws -> Void

    private let events: EventRepository
    private let enqueue: FanOut

    package init(events: EventRepository, fanOut: @escaping FanOut) {
        self.events = events
        enqueue = fanOut
    }

    /// Records an event with the change that it tells of; returns its id, on repeats the same one.
    package func record(
        _ event: DomainEvent, at now: Date, in transaction: PostgresTransaction
    ) async throws -> Int64 {
        try await record([event], at: now, in: transaction)[0]
    }

    /// Records many events in order; returns their ids in the same order.
    package func record(
        _ events: [DomainEvent], at now: Date, in transaction: PostgresTransaction
    ) async throws -> [Int64] {
        try await self.events.record(
            events.map { event in
                NewEvent(
                    type: event.type, key: event.key,
                    data: try JSONValue(encoding: event.data).encoded(), occurredAt: now)
            }, in: transaction)
    }

    /// Enqueues the fan-out of committed events.
    package func fanOut(_ events: [Int64]) async throws {
        guard !events.isEmpty else { return }
        try await enqueue(events)
    }
}
