import Broker
import Foundation
import JobModel
import Mailbox
import Postgres
import Redis
import Store
import TestSupport
import Testing

@testable import Relay

@Suite("Rounds of the relay", .timeLimit(.minutes(2)))
struct RelayRoundTests {
    @Test("rows become Celery messages on their queues, and leave the outbox")
    func plain() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let rows = try await fixture.pool.query(
                """
                select backhaul.enqueue('test.known', args => '[1, "ü", 1e400]',
                    kwargs => '{"b": null, "a": [true]}', priority => 9,
                    expires => '2100-01-01 00:00:00+00',
                    headers => '{"x": 1, "ignore_result": true, "timelimit": [null, 5]}') as id
                """)
            let id: String = try rows[0]["id"]
            try await fixture.enqueue("test.unknown")
            try await fixture.enqueue("test.known", queue: "elsewhere")
            let report = try await fixture.round().run()
            #expect(report == RelayRound.Report(claimed: 3, pushed: 3))
            #expect(try await fixture.number() == 0)
            let message = try #require(try await fixture.server.messages(in: "known").first)
            #expect(message.id == JobID(id))
            #expect(message.priority == Priority(9))
            #expect(message.expires == Date(timeIntervalSince1970: 4_102_444_800))
            #expect(message.headerFields()["x"] == 1)
            #expect(message.headerFields()["ignore_result"] == true)
            #expect(message.headerFields()["timelimit"] == [nil, 5])
            let body = try message.body(limits: WireLimits())
            #expect(body.args.count == 3)
            #expect(body.args[1] == "ü")
            #expect(body.kwargs.keys == ["b", "a"])
            #expect(try await fixture.pushed().count == 1)
            #expect(try await fixture.pushed(in: "elsewhere").count == 1)
        }
    }

    @Test("what was rolled back is never pushed")
    func rolledBack() async throws {
        try await RelayFixture.with { (fixture) async throws in
            await #expect(throws: CutOff.self) {
                try await fixture.pool.transaction { transaction in
                    _ = try await transaction.query("select backhaul.enqueue('test.job')")
                    #expect(try await fixture.round().run().claimed == 0)
                    throw CutOff()
                }
            }
            let report = try await fixture.round().run()
            #expect(report.claimed == 0)
            #expect(try await fixture.pushed().isEmpty)
        }
    }

    @Test("a row that commits after later ones is pushed all the same")
    func lateCommit() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let round = try fixture.round()
            try await fixture.pool.transaction { transaction in
                _ = try await transaction.query("select backhaul.enqueue('test.early')")
                try await fixture.enqueue("test.late")
                #expect(try await round.run().pushed == 1)
            }
            #expect(try await round.run().pushed == 1)
            #expect(try await fixture.pushed().count == 2)
        }
    }

    @Test(
        "cut off at any step, nothing is lost and nothing is pushed twice",
        arguments: RelayRound.Step.allCases)
    func cutOff(at step: RelayRound.Step) async throws {
        try await RelayFixture.with { (fixture) async throws in
            let ids = try await fixture.enqueue(count: 20)
            let broken = try fixture.round { passed in
                if passed == step { throw CutOff() }
            }
            await #expect(throws: CutOff.self) { try await broken.run() }
            #expect(try await fixture.number() == (step == .committed ? 0 : 20))
            #expect(try await fixture.pushed().count == (step == .claimed ? 0 : 20))
            let report = try await fixture.round().run()
            #expect(report.claimed == (step == .committed ? 0 : 20))
            #expect(report.repeated == (step == .pushed ? 20 : 0))
            #expect(try await fixture.number() == 0)
            #expect(try await fixture.pushed() == ids)
        }
    }

    @Test(
        "a relay whose database session is ended is cut off, and another one finishes",
        arguments: [RelayRound.Step.claimed, .pushed])
    func sessionEnded(at step: RelayRound.Step) async throws {
        try await RelayFixture.with { (fixture) async throws in
            let ids = try await fixture.enqueue(count: 20)
            let broken = try fixture.round { passed in
                guard passed == step else { return }
                _ = try await fixture.pool.query(
                    """
                    select pg_terminate_backend(pid) from pg_stat_activity
                    where datname = current_database() and state = 'idle in transaction'
                    """)
            }
            await #expect(throws: PostgresError.self) { try await broken.run() }
            #expect(try await fixture.number() == 20)
            #expect(try await fixture.round().run().claimed == 20)
            #expect(try await fixture.pushed() == ids)
            #expect(try await fixture.number() == 0)
        }
    }

    @Test("a pushed id is kept in doubt until the next call, then for a moment")
    func marks() async throws {
        try await RelayFixture.with { (fixture) async throws in
            try await fixture.enqueue(count: 3)
            let round = try fixture.round()
            #expect(try await round.run().pushed == 3)
            #expect(try await fixture.marks().values.allSatisfy { $0 > 29 * 86_400 })
            #expect(try await round.run().claimed == 0)
            let marks = try await fixture.marks()
            #expect(marks.count == 3)
            #expect(marks.values.allSatisfy { $0 > 5 && $0 <= 20 })
        }
    }

    @Test("ids that have had their time are forgotten")
    func forgotten() async throws {
        try await RelayFixture.with { (fixture) async throws in
            var options = BrokerOptions()
            options.outbox.confirmedKept = .milliseconds(1)
            try await fixture.enqueue(count: 3)
            let round = try fixture.round(broker: options)
            #expect(try await round.run().pushed == 3)
            _ = try await round.run()
            try await eventually("the ids are forgotten") {
                try await fixture.enqueue()
                _ = try await round.run()
                return try await fixture.marks().count <= 2
            }
        }
    }

    @Test("a relay that stood still after its claim is refused, and its rows are pushed once")
    func zombie() async throws {
        try await RelayFixture.with { (fixture) async throws in
            var options = BrokerOptions()
            let limit = Duration.seconds(2)
            options.outbox.claimLimit = limit
            let ids = try await fixture.enqueue(count: 5)
            let isStill = Locked(true)
            let zombie = try fixture.round(broker: options) { step in
                guard step == .claimed, isStill.withLock({ $0 }) else { return }
                try await ContinuousClock().sleep(until: .now + limit * 1.2)
                isStill.withLock { $0 = false }
            }
            await #expect {
                try await zombie.run()
            } throws: {
                guard case RelayError.claimTooOld? = $0 as? RelayError else { return false }
                return true
            }
            #expect(try await fixture.pushed().isEmpty)
            #expect(try await fixture.number() == 5)
            #expect(try await zombie.run().pushed == 5)
            #expect(try await fixture.pushed() == ids)
        }
    }

    @Test("a relay that comes back within the time drops what its successor has pushed")
    func youngZombie() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let ids = try await fixture.enqueue(count: 5)
            let successor = try fixture.round()
            let zombie = try fixture.round { step in
                guard step == .claimed else { return }
                // Its session is gone, and it does not know.
                _ = try await fixture.pool.query(
                    """
                    select pg_terminate_backend(pid) from pg_stat_activity
                    where datname = current_database() and state = 'idle in transaction'
                    """)
                try await eventually("the successor has the rows") {
                    try await successor.run().pushed == 5
                }
                // Confirms.
                _ = try await successor.run()
            }
            await #expect(throws: PostgresError.self) { try await zombie.run() }
            #expect(try await fixture.pushed() == ids)
        }
    }

    @Test("rows that are to run later go to the delayed set, and once")
    func delayed() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let rows = try await fixture.pool.query(
                """
                select backhaul.enqueue('test.job', at => now() + interval '1 hour') as id,
                    backhaul.enqueue('test.job', at => now() - interval '1 hour') as past
                """)
            let (id, past): (String, String) = (try rows[0]["id"], try rows[0]["past"])
            let broken = try fixture.round { if $0 == .pushed { throw CutOff() } }
            await #expect(throws: CutOff.self) { try await broken.run() }
            #expect(try await fixture.round().run().repeated == 2)
            #expect(try await fixture.pushed() == [past])
            let delayed = try await fixture.server.broker.delayedMessages(limit: 10)
            #expect(delayed.count == 1)
            let due = try await fixture.server.raw.send(
                RedisCommand("ZRANGE", RedisKeys().delayed, 0, -1, "WITHSCORES")
            ).array?.last?.string
            let wait = (Double(due ?? "") ?? 0) / 1000 - Date().timeIntervalSince1970
            #expect(wait > 3500 && wait <= 3600)
            #expect(try await fixture.marks()[id] != nil)
        }
    }

    @Test("several rounds at once move every row once")
    func sideBySide() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let ids = try await fixture.enqueue(count: 600)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let round = try fixture.round(batch: 20)
                        while try await fixture.number() > 0 { _ = try await round.run() }
                    }
                }
                try await group.waitForAll()
            }
            let pushed = try await fixture.pushed()
            #expect(pushed.count == 600)
            #expect(Set(pushed) == Set(ids))
        }
    }

    @Test("a claim is bounded in bytes, and large rows still flow")
    func large() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let half = OutboxRepository.claimBytes / 4
            for _ in 0..<6 {
                _ = try await fixture.pool.query(
                    """
                    select backhaul.enqueue('test.job',
                        args => json_build_array(repeat('x', \(half)::integer - 100)))
                    """)
            }
            let round = try fixture.round()
            #expect(try await round.run().claimed == 5)
            #expect(try await round.run().claimed == 1)
            #expect(try await fixture.pushed().count == 6)
        }
    }
}
