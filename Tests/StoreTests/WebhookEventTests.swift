import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("Events, each kept once")
struct WebhookEventTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000.25)
    private let events = EventRepository()

    private func event(
        _ key: String, type: String = "payment.received", data: String = "{}"
    ) -> NewEvent {
        NewEvent(type: type, key: key, data: Array(data.utf8), occurredAt: Self.now)
    }

    private func text(_ pool: PostgresPool, _ query: PostgresQuery) async throws -> [String] {
        var texts: [String] = []
        for row in try await pool.query(query) { texts.append(try row["text"]) }
        return texts
    }

    @Test("an event is stored as the bytes that will be sent, whatever its data")
    func payload() async throws {
        try await MigratedDatabase.with { pool in
            let data = #"{"a": 1.10, "b": "\u00e9\"", "c": null}"#
            _ = try await pool.transaction { transaction in
                try await events.record(event("k", data: data), in: transaction)
            }
            let stored = try await text(
                pool, "select convert_from(payload, 'UTF8') as text from events")
            #expect(
                stored == [
                    #"{"event":"payment.received","timestamp":"2027-01-15T08:00:00.250Z","data":"#
                        + data + "}"
                ])
        }
    }

    @Test(
        "whose event it is, is read from its data",
        arguments: [
            ("payment.received", #"{"customer_id": 7, "id": 8}"#, "7"),
            ("payment.received", #"{"id": 8}"#, "-"),
            ("customer.created", #"{"id": 8}"#, "8"),
            ("customer.created", #"{"customer_id": 7, "id": 8}"#, "7"),
            ("customer.created", #"{"id": "8"}"#, "-"), ("customer.created", "[1]", "-"),
            ("customer.created", #"{"id": 8.5}"#, "-"), ("customer.created", "null", "-"),
        ])
    func customer(type: String, data: String, customer: String) {
        let event = NewEvent(type: type, key: "k", data: Array(data.utf8), occurredAt: Self.now)
        #expect(event.customerID == Int64(customer))
    }

    @Test("the same key is the same event, in one batch, in two, and with other data")
    func repeats() async throws {
        try await MigratedDatabase.with { pool in
            let first = try await pool.transaction { transaction in
                try await events.record(
                    [event("b"), event("a"), event("b"), event("c")], in: transaction)
            }
            #expect(first[0] == first[2])
            #expect(Set(first).count == 3)
            let again = try await pool.transaction { transaction in
                try await events.record(
                    type: "other.type", key: "a", data: Array("1".utf8), at: Self.now,
                    in: transaction)
            }
            #expect(again == first[1])
            #expect(
                try await text(pool, "select type as text from events where dedup_key = 'a'")
                    == ["payment.received"])
        }
    }

    @Test("an event of a transaction that fails never was")
    func rollback() async throws {
        struct Undone: Error {}
        try await MigratedDatabase.with { pool in
            await #expect(throws: Undone.self) {
                try await pool.transaction { transaction in
                    _ = try await events.record(event("k"), in: transaction)
                    throw Undone()
                }
            }
            let left = try await text(pool, "select dedup_key as text from events")
            #expect(left.isEmpty)
        }
    }

    @Test("many at once record the same keys in different orders: one event each, no deadlock")
    func races() async throws {
        try await MigratedDatabase.with { pool in
            let keys = (0..<20).map { "key-\($0)" }
            let found = try await withThrowingTaskGroup(of: [String: Int64].self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        let shuffled = keys.shuffled()
                        let ids = try await pool.transaction { transaction in
                            try await events.record(shuffled.map { event($0) }, in: transaction)
                        }
                        return Dictionary(uniqueKeysWithValues: zip(shuffled, ids))
                    }
                }
                var all: Set<[String: Int64]> = []
                for try await ids in group { all.insert(ids) }
                return all
            }
            #expect(found.count == 1)
            #expect(Set(found.first?.values.map { $0 } ?? []).count == 20)
        }
    }

    @Test("each event has a name of its own for receivers, which tells no number")
    func messageIDs() async throws {
        try await MigratedDatabase.with { pool in
            _ = try await pool.transaction { transaction in
                try await events.record((0..<100).map { event("\($0)") }, in: transaction)
            }
            let names = try await text(pool, "select message_id as text from events")
            #expect(Set(names).count == 100)
            #expect(names.allSatisfy { $0.hasPrefix("evt_") && $0.utf8.count == 36 })
        }
    }
}
