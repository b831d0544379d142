import Broker
import Foundation
import JobModel
import Postgres
import Redis
import Store
import TestSupport
import Testing

@testable import Relay

@Suite("Rows that cannot be pushed", .timeLimit(.minutes(2)))
struct ParkedRowTests {
    @Test("they are set aside with their reason, and the rest flows")
    func parked() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let first = try await fixture.enqueue()
            let half = try await fixture.enqueue(args: #"["\ud800"]"#)
            let deep = try await fixture.enqueue(
                args: String(repeating: "[", count: 200) + String(repeating: "]", count: 200))
            let last = try await fixture.enqueue()
            let report = try await fixture.round().run()
            #expect(report.claimed == 4)
            #expect(report.pushed == 2)
            #expect(report.parked.map(\.id) == [half, deep])
            #expect(try await fixture.pushed() == [first, last])
            #expect(try await fixture.number() == 0)
            let rows = try await OutboxRepository().parked(limit: 10, in: fixture.pool)
            #expect(Set(rows.map(\.row.jobID)) == [half, deep])
            let row = try #require(rows.first { $0.row.jobID == half })
            #expect(row.row.args == #"["\ud800"]"#)
            #expect(row.reason.hasPrefix("args cannot be read: "))
        }
    }

    @Test("a message larger than workers read is one of them")
    func oversized() async throws {
        try await RelayFixture.with { (fixture) async throws in
            var options = BrokerOptions()
            options.maximumMessageBytes = 4096
            let small = try await fixture.enqueue()
            _ = try await fixture.pool.query(
                "select backhaul.enqueue('test.job', args => json_build_array(repeat('x', 5000)))")
            let report = try await fixture.round(broker: options).run()
            #expect(report.parked.first?.reason.contains("the limit is 4096") == true)
            #expect(try await fixture.pushed() == [small])
        }
    }

    @Test("so is one whose queue's key is another thing in Redis")
    func unfit() async throws {
        try await RelayFixture.with { (fixture) async throws in
            _ = try await fixture.server.raw.send(RedisCommand("HSET", "taken", "a", "b"))
            let odd = try await fixture.enqueue(queue: "taken")
            let fine = try await fixture.enqueue()
            let report = try await fixture.round().run()
            #expect(report.parked.map(\.id) == [odd])
            #expect(report.pushed == 1)
            #expect(try await fixture.pushed() == [fine])
            // Its cause mended, it can be put back.
            _ = try await fixture.server.raw.send(RedisCommand("DEL", "taken"))
            let moved = try await OutboxRepository().retry(nil, limit: 10, in: fixture.pool)
            #expect(moved == [odd])
            #expect(try await fixture.round().run().pushed == 1)
            #expect(try await fixture.pushed(in: "taken") == [odd])
            #expect(try await fixture.number("parked") == 0)
        }
    }

    @Test("rows written past the function are read with suspicion")
    func handmade() async throws {
        try await RelayFixture.with { (fixture) async throws in
            _ = try await fixture.pool.query(
                """
                insert into backhaul.outbox (name, args, kwargs, queue, priority, run_at, expires_at,
                    headers, created_at)
                values
                    ('', '[]', '{}', null, null, null, null, '{}', now()),
                    ('a', '{}', '{}', null, null, null, null, '{}', now()),
                    ('a', '[]', '[]', null, null, null, null, '{}', now()),
                    ('a', '[]', '{}', E'x\\x06', null, null, null, '{}', now()),
                    ('a', '[]', '{}', null, 10, null, null, '{}', now()),
                    ('a', '[]', '{}', null, null, 'infinity', null, '{}', now()),
                    ('a', '[]', '{}', null, null, null, '-infinity', '{}', '-infinity'),
                    ('a', '[]', '{}', null, null, null, null, '7', now()),
                    ('a', '[]', '{}', null, null, null, null, '{"timelimit": [1e300, null]}', now()),
                    ('a', '[]', '{}', null, null, null, null, '{"ignore_result": 1}', 'infinity')
                """)
            let fine = try await fixture.enqueue()
            let report = try await fixture.round().run()
            #expect(report.parked.count == 10)
            #expect(Set(report.parked.map(\.reason)).count == 10)
            #expect(try await fixture.pushed() == [fine])
            #expect(try await fixture.number("parked") == 10)
        }
    }

    @Test("setting aside is undone with the round that did it")
    func cutOff() async throws {
        try await RelayFixture.with { (fixture) async throws in
            try await fixture.enqueue(args: #"["\ud800"]"#)
            let broken = try fixture.round { if $0 == .pushed { throw CutOff() } }
            await #expect(throws: CutOff.self) { try await broken.run() }
            #expect(try await fixture.number("parked") == 0)
            #expect(try await fixture.number() == 1)
        }
    }

    @Test("they are deleted by their ids, and forgotten by age")
    func discarded() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let outbox = OutboxRepository()
            let odd = try await fixture.enqueue(args: #"["\ud800"]"#)
            try await fixture.enqueue(args: #"["\ud801"]"#)
            _ = try await fixture.round().run()
            #expect(try await outbox.discard([odd, "no such"], in: fixture.pool) == [odd])
            #expect(try await fixture.number("parked") == 1)
            func prune(_ age: Duration) async throws -> Int {
                try await outbox.prune(
                    dedupOlderThan: .seconds(1000), parkedOlderThan: age, limit: 10,
                    in: fixture.pool)
            }
            #expect(try await prune(.seconds(1000)) == 0)
            #expect(try await prune(.zero) == 1)
            #expect(try await fixture.number("parked") == 0)
        }
    }
}
