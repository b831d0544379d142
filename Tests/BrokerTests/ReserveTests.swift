import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Reserving")
struct ReserveTests {
    @Test("the first enqueued is the first reserved, and a batch keeps the order")
    func order() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(5)
        #expect(try fixture.ids(try await fixture.reserve(3)) == ["m1", "m2", "m3"])
        #expect(try fixture.ids(try await fixture.reserve(3)) == ["m4", "m5"])
        #expect(try await fixture.reserve(3).isEmpty)
    }

    @Test("priority 0 overtakes priority 9, over all queues")
    func priority() async throws {
        let fixture = try await BrokerFixture()
        let other: QueueName = "other"
        try await fixture.broker.enqueue([
            fixture.message("late", priority: 9), fixture.message("middle", priority: 4),
            fixture.message("urgent", priority: 0, in: other),
        ])
        let deliveries = try await fixture.reserve(3, from: [BrokerFixture.mail, other])
        #expect(try fixture.ids(deliveries) == ["urgent", "middle", "late"])
        #expect(deliveries.map(\.queue) == [other, BrokerFixture.mail, BrokerFixture.mail])
    }

    @Test("what is reserved stands in kombu's own keys, in kombu's form")
    func kombuRecord() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(1)
        let delivery = try await fixture.reserve(1)[0]
        let record = try await fixture.raw.send(
            RedisCommand("HGET", "unacked", delivery.lease.tag))
        let value = try JSONValue(parsing: record.bytes ?? [])
        guard case .array(let parts) = value else {
            Issue.record("the record is no array")
            return
        }
        #expect(parts.count == 3)
        #expect(parts[0] == (try JSONValue(parsing: delivery.raw)))
        #expect(parts[1] == .string(""))
        #expect(parts[2] == .string("mail"))
        let score = try await fixture.raw.send(
            RedisCommand("ZSCORE", "unacked_index", delivery.lease.tag))
        #expect(abs(Double(score.int ?? 0) - Date().timeIntervalSince1970) < 5)
        #expect(WorkerID(owning: delivery.lease.tag) == fixture.worker)
    }

    @Test("bytes that are no JSON are reserved like any others, exactly")
    func garbage() async throws {
        let fixture = try await BrokerFixture()
        let garbage: [UInt8] = [0, 255, 10, 13, 34, 93, 44, 34, 34]
        _ = try await fixture.raw.send(RedisCommand("LPUSH", "mail", garbage))
        #expect(try await fixture.reserve(1).map(\.raw) == [garbage])
    }

    @Test("a write that Redis refuses leaves every message on its list, in order")
    func refusedWrite() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(40)
        _ = try await fixture.raw.send(RedisCommand("SET", "unacked", "of another type"))
        await #expect(throws: BrokerError.self) { try await fixture.reserve(40) }
        _ = try await fixture.raw.send(RedisCommand("DEL", "unacked"))
        _ = try await fixture.raw.send(RedisCommand("SET", "unacked_index", "of another type"))
        await #expect(throws: BrokerError.self) { try await fixture.reserve(40) }
        _ = try await fixture.raw.send(RedisCommand("DEL", "unacked_index"))
        let inFlight = try await fixture.broker.inFlight()
        #expect(inFlight == 0)
        let ids = try fixture.ids(try await fixture.reserve(40))
        #expect(ids == (1...40).map { "m\($0)" })
    }

    @Test("a server that is out of memory can still be drained")
    func outOfMemory() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(20)
        _ = try await fixture.raw.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
        let deliveries = try await fixture.reserve(20)
        #expect(deliveries.count == 20)
        #expect(try await fixture.settle(deliveries[0], .acknowledge) == .settled)
    }

    @Test("one reserve stops at its limit of bytes")
    func byteLimit() async throws {
        let fixture = try await BrokerFixture { $0.reserveBytes = 100 }
        try await fixture.enqueue(64)
        #expect(try await fixture.reserve(64).count == 16)
    }

    @Test("a blocked waiter gets a message and holds it in flight")
    func waiter() async throws {
        let fixture = try await BrokerFixture()
        let waiter = fixture.broker.waiters(
            for: fixture.worker, on: [ListAddress(queue: BrokerFixture.mail, step: 0)])[0]
        async let waited = waiter.wait(upTo: .seconds(20))
        try await eventually {
            try await fixture.raw.send(RedisCommand("INFO", "clients")).string?
                .contains("blocked_clients:1") ?? false
        }
        try await fixture.enqueue(1)
        let deliveries = try await waited
        #expect(try fixture.ids(deliveries) == ["m1"])
        #expect(try await fixture.census() == [0, 1, 0, 0, 0])
        await waiter.close()
    }

    @Test("a waiter can be woken, and then has nothing")
    func interrupt() async throws {
        let fixture = try await BrokerFixture()
        let waiter = fixture.broker.waiters(
            for: fixture.worker, on: [ListAddress(queue: BrokerFixture.mail, step: 0)])[0]
        async let waited = waiter.wait(upTo: .seconds(60))
        try await eventually {
            try await fixture.raw.send(RedisCommand("INFO", "clients")).string?
                .contains("blocked_clients:1") ?? false
        }
        await waiter.interrupt()
        #expect(try await waited.isEmpty)
        await waiter.close()
    }

    @Test("every key stands behind the prefix")
    func prefix() async throws {
        let fixture = try await BrokerFixture { $0.keyPrefix = "pfx:" }
        try await fixture.enqueue(1)
        try await fixture.broker.enqueue([
            fixture.message("later", eta: Date(timeIntervalSinceNow: 600))
        ])
        _ = try await fixture.reserve(1)
        let keys = try await fixture.raw.send(RedisCommand("KEYS", "*"))
        let names = (keys.array ?? []).compactMap(\.string)
        #expect(names.count == 5)
        #expect(names.allSatisfy { $0.hasPrefix("pfx:") })
    }
}
