import Broker
import Foundation
import JobModel
import Mailbox
import Redis
import TestSupport
import Testing

@testable import Worker

/// A record of effects whose answers the test decides.
private final class DecidedEffects: EffectLedger {
    private let answers: @Sendable (JobID) throws -> EffectAdmission
    let asked = Log<Fence>()

    init(_ answers: @escaping @Sendable (JobID) throws -> EffectAdmission) {
        self.answers = answers
    }

    func admit(_ fence: Fence, of id: JobID) async throws -> EffectAdmission {
        asked.add(fence)
        return try answers(id)
    }
}

@Suite("Messages that come again")
struct RepeatedJobTests {
    private struct NoAnswer: Error {}
    private let dead = WorkerID(host: "gone", processID: 2, random: 8)

    /// Lets a worker that dies hold what waits, `times` times.
    private func die(
        _ fixture: WorkerFixture, times: Int = 1, running isRunning: Bool = false
    ) async throws {
        for _ in 0..<times {
            let held = try await fixture.broker.reserve(
                upTo: 64, for: dead, from: [ListAddress(queue: WorkerFixture.queue, step: 0)])
            if isRunning {
                for delivery in held {
                    try await fixture.broker.markSuspect(delivery, of: dead)
                }
            }
            _ = try await fixture.raw.send(
                RedisCommand("ZADD", "backhaul:workers", 1, dead.text))
            _ = try await fixture.broker.reportDeath(of: dead)
        }
    }

    @Test("one that took effect is settled with the recorded result and not run")
    func recognised() async throws {
        let begun = Log<Int>()
        let effects = DecidedEffects { _ in .tookEffect(result: .string("as before")) }
        let fixture = try await WorkerFixture(effects: effects) { payload, _ in
            begun.add(payload.number ?? -1)
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await die(fixture)
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
        }
        #expect(begun.all.isEmpty)
        #expect(fixture.service.totals["repeated"] == 1)
        let record = try await fixture.raw.send(RedisCommand("GET", "celery-task-meta-job-1"))
        #expect(record.string?.contains("as before") == true)
    }

    @Test("one delivered for the first time is run without asking, one put back is asked about")
    func asks() async throws {
        let begun = Log<Int>()
        let effects = DecidedEffects { _ in throw NoAnswer() }
        let fixture = try await WorkerFixture(effects: effects) { payload, _ in
            begun.add(payload.number ?? -1)
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await die(fixture)
        try await fixture.broker.enqueue([fixture.message(2)])
        try await fixture.run { try await eventually { begun.all.count == 2 } }
        #expect(effects.asked.all.count == 1)
        #expect(effects.asked.all[0] > .none)
    }

    @Test("a body that hears of a lost lease counts no attempt")
    func leaseLost() async throws {
        let attempts = Log<Int>()
        let fixture = try await WorkerFixture { _, context in
            attempts.add(context.attempt)
            if attempts.all.count < 3 { throw LeaseLost() }
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
        }
        #expect(attempts.all == [1, 1, 1])
    }

    @Test(
        "suspects run, one that would be condemned alone; neighbours of a killer are not condemned")
    func suspects() async throws {
        let running = Log<Int>()
        let fixture = try await WorkerFixture { _, _ in
            running.add(1)
            await Task.yield()
            running.add(-1)
            return .done
        }
        try await fixture.broker.enqueue((0..<20).map { fixture.message($0) })
        try await die(fixture, times: 5)  // held only: counts once
        try await die(fixture, running: true)
        try await fixture.run {
            try await eventually(within: .seconds(20)) { try await fixture.isIdle() }
        }
        #expect(running.all.count == 40)
        var now = 0
        #expect(
            running.all.map { change in
                now += change
                return now
            }.max() == 1)
        #expect(try await fixture.broker.buried(in: .quarantine, offset: 0, limit: 1).total == 0)
    }

    @Test(
        "a message that was running when the third worker died is in quarantine, with their names")
    func poison() async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await die(fixture)
        try await die(fixture, times: 2, running: true)
        let found = try await fixture.broker.buried(in: .quarantine, offset: 0, limit: 9).items
        #expect(found.map(\.code) == ["poison.deaths"])
        #expect(found[0].message == "3 workers died holding it: \(dead), \(dead), \(dead)")
        #expect(found[0].id == "job-1")
        #expect(try await fixture.status(of: 1) == "FAILURE")
        #expect(try await fixture.isIdle())
    }
}
