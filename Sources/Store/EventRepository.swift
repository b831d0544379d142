package import Foundation
import JobModel
package import Postgres

/// Something that happened, to be told to whoever subscribed to it.
package struct NewEvent: Sendable {
    /// What kind of thing, such as `payment.received`.
    package let type: String
    /// Two records with one key are one event, however often a job is repeated.
    package let key: String
    /// Whose event it is; endpoints of other customers do not hear of it.
    package let customerID: Int64?
    /// The facts, as JSON text.
    package let data: [UInt8]
    package let occurredAt: Date

    /// Makes an event; unless given, the customer is the `customer_id` of the data, or the `id` when
    /// the event is a customer's own, such as `customer.created`.
    package init(
        type: String, key: String, customerID: Int64? = nil, data: [UInt8], occurredAt: Date
    ) {
        self.type = type
        self.key = key
        self.customerID = customerID ?? Self.customerID(of: type, in: data)
        self.data = data
        self.occurredAt = occurredAt
    }

    private static func customerID(of type: String, in data: [UInt8]) -> Int64? {
        guard case .object(let members) = try? JSONValue(parsing: data) else { return nil }
        let isOwn = type.hasPrefix("customer.")
        guard case .number(let number) = members["customer_id"] ?? (isOwn ? members["id"] : nil)
        else { return nil }
        return Int64(number.text)
    }

    /// The body of the webhook: `{"event":…,"timestamp":…,"data":…}`.
    ///
    /// The timestamp is ISO 8601 in UTC, to the millisecond.
    var payload: [UInt8] {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let head = JSONObject([
            ("event", .string(type)), ("timestamp", .string(occurredAt.formatted(style))),
        ])
        var bytes = JSONValue.object(head).encoded()
        bytes.removeLast()
        bytes += Array(",\"data\":".utf8)
        bytes += data
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}

/// Keeps events, each once.
package struct EventRepository: Sendable {
    package init() {}

    /// Records an event with the change that it tells of; returns its id, on repeats the same one.
    package func record(
        _ event: NewEvent, in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64 {
        let ids = try await record([event], in: transaction)
        return ids[0]
    }

    /// Records an event from its parts; see ``record(_:in:)``.
    package func record(
        type: String, key: String, data: [UInt8], at now: Date, in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64 {
        let event = NewEvent(type: type, key: key, data: data, occurredAt: now)
        return try await record(event, in: transaction)
    }

    /// Records many events in one round trip; returns their ids in the same order.
    ///
    /// In the order of their keys, so that two batches cannot lock each other out. The ids are read by
    /// a second statement: the first waits for whoever is recording the same key at this moment, but
    /// does not see what they recorded.
    package func record(
        _ events: [NewEvent], in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [Int64] {
        guard !events.isEmpty else { return [] }
        let insert: PostgresQuery = """
            insert into events (type, customer_id, payload, occurred_at, dedup_key)
            select * from unnest(
                \(events.map(\.type)), \(events.map(\.customerID)), \(events.map(\.payload)),
                \(events.map(\.occurredAt)), \(events.map(\.key))
            ) fresh (type, customer_id, payload, occurred_at, key)
            order by key
            on conflict (dedup_key) do nothing
            """
        let ids: PostgresQuery = """
            select e.id from unnest(\(events.map(\.key))) with ordinality wanted (key, place)
            join events e on e.dedup_key = wanted.key order by wanted.place
            """
        let results = try await transaction.batch([
            insert.named("events.record"), ids.named("events.ids"),
        ])
        var found: [Int64] = []
        found.reserveCapacity(events.count)
        for row in results[1] { found.append(try row["id"]) }
        guard found.count == events.count else {
            throw PostgresError(.decoding, "an event that was recorded is gone")
        }
        return found
    }
}
