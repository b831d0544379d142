import Foundation
import JobModel
import Jobs
import Postgres
import TestSupport
import Testing

@Suite("The fan-out of a sweep")
struct SweepFanOutTests {
    private static let july = SweepWorld.july
    /// As a scheduler writes it.
    private static let tick: JSONObject = [
        "backhaul_tick_due_at": "2026-07-19T23:55:00.000+00:00"
    ]

    /// Runs the fan-out of a tick, ten minutes late.
    private static func fanOut(
        _ world: SweepWorld, id: String = "job-1", _ payload: SweepServiceLevels.Payload = .init(),
        headers: JSONObject = tick, expires: Date? = nil, at now: Date = july
    ) async throws -> ScopedRun {
        let run = try ScopedRun(
            id: id, headers: headers, expires: expires,
            time: HandClock(now.addingTimeInterval(300)))
        _ = try await run.finish(world.sweep(), payload)
        return run
    }

    /// Runs what was sent, on a clock an hour later; in one group, so all at once.
    private static func run(
        _ messages: [OutgoingMessage], _ world: SweepWorld, _ checkpoints: Checkpoints = .none
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for message in messages {
                group.addTask {
                    _ = try await ScopedRun(
                        id: message.id.text, time: HandClock(july.addingTimeInterval(3600))
                    ).finish(world.sweep(checkpoints), message.payload())
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("each shard is a job with the month, and with its tick's due time as its moment")
    func jobs() async throws {
        try await SweepWorld.with { (world) async throws in
            let run = try await Self.fanOut(world)
            #expect(run.sent.count == 4)
            #expect(run.sent.allSatisfy { $0.name == "sla.sweep" && $0.queue == "sla" })
            let payloads: [SweepServiceLevels.Payload] = try run.sent.map { try $0.payload() }
            #expect(payloads.compactMap(\.shard).sorted() == [0, 1, 2, 3])
            #expect(payloads.allSatisfy { $0.shards == 4 && $0.period == "2026-07" })
            #expect(payloads.allSatisfy { $0.at == "2026-07-19T23:55:00+00:00" })
            #expect(
                run.sent.map(\.id.text).sorted()
                    == (0..<4).map { "sla.sweep:2026-07-19T23:55:00Z:2026-07:\($0)-of-4" })
            #expect(run.sent.allSatisfy { $0.expires == nil })
        }
    }

    @Test("a repeat sends jobs of the same ids; another tick or month, of others")
    func repeated() async throws {
        try await SweepWorld.with { (world) async throws in
            let first = try await Self.fanOut(world)
            let again = try await Self.fanOut(world, id: "job-2")
            #expect(again.sent.map(\.id) == first.sent.map(\.id))
            let byHand = try await Self.fanOut(
                world, id: "job-3", .init(period: "2026-06", at: "2026-07-19T23:55:00Z"),
                headers: [:])
            #expect(Set(byHand.sent.map(\.id)).isDisjoint(with: first.sent.map(\.id)))
            // What no schedule sent has only its own id to go by.
            let untimed = try await Self.fanOut(world, id: "job-4", headers: [:])
            #expect(untimed.sent.allSatisfy { $0.id.text.hasPrefix("sla.sweep:job-4:2026-07:") })
        }
    }

    @Test("a due time that cannot be read, or lies ahead, is refused by the name of its header")
    func badTick() async throws {
        try await SweepWorld.with(services: 1) { (world) async throws in
            for due in ["soon", "2026-07-20T01:00:00.000+00:00"] {
                let failure = await #expect(throws: PermanentFailure.self) {
                    _ = try await Self.fanOut(
                        world, headers: ["backhaul_tick_due_at": .string(due)])
                }
                #expect(failure?.reason.hasPrefix("header backhaul_tick_due_at ") == true)
            }
        }
    }

    @Test("the number of jobs follows the number of services, up to a limit; none without any")
    func size() async throws {
        let plan = ShardPlan()
        #expect([0, 1, 10_000, 10_001, 200_000].map(plan.shards(of:)) == [0, 1, 1, 2, 20])
        #expect(plan.shards(of: 100_000_000) == ShardPlan.maximumShards)
        try await SweepWorld.with(services: 11) { (world) async throws in
            _ = try await world.pool.query("update services set sla_policy_id = null where id = 1")
            #expect(try await Self.fanOut(world).sent.count == 1)
            _ = try await world.pool.query("update services set sla_policy_id = null")
            #expect(try await Self.fanOut(world).sent.isEmpty)
        }
    }

    @Test("in the grace both months are sent, each by its name")
    func months() async throws {
        try await SweepWorld.with(services: 1) { (world) async throws in
            let names: (String?) async throws -> [String?] = { period in
                try await Self.fanOut(
                    world, .init(period: period), headers: [:], at: SweepWorld.august
                ).sent.map { try $0.payload(as: SweepServiceLevels.Payload.self).period }
            }
            #expect(try await names(nil) == ["2026-07", "2026-08"])
            #expect(try await names("current") == ["2026-08"])
            #expect(try await names("provisional") == ["2026-07"])
        }
    }

    @Test("shards expire with their fan-out, and each tick begins at another of them")
    func fairness() async throws {
        try await SweepWorld.with { (world) async throws in
            let expires = Self.july.addingTimeInterval(400)
            var first: [Int?] = []
            for tick in 0..<4 {
                let at = Self.july.addingTimeInterval(Double(tick - 4) * 300)
                let run = try await Self.fanOut(
                    world, .init(at: at.formatted(.iso8601)), expires: expires)
                #expect(run.sent.allSatisfy { $0.expires == expires && $0.priority.value == 3 })
                first.append(
                    try run.sent[0].payload(as: SweepServiceLevels.Payload.self).shard)
            }
            #expect(Set(first) == [0, 1, 2, 3])
        }
    }

    @Test("every shard doubled and all of them at once: one breach, event and credit each")
    func doubled() async throws {
        try await SweepWorld.with { (world) async throws in
            let sent = try await Self.fanOut(world).sent + Self.fanOut(world, id: "job-2").sent
            #expect(sent.count == 8)
            try await Self.run(sent.reversed(), world)
            #expect(try await events(world.pool).count == 40)
            #expect(try await world.credited() == 40 * 500)
            let before = try await Self.state(world.pool)
            try await Self.run(sent, world)
            #expect(try await Self.state(world.pool) == before)
        }
    }

    @Test("two fan-outs that divide the services differently do not disturb each other")
    func divided() async throws {
        try await SweepWorld.with { (world) async throws in
            let four = try await Self.fanOut(world).sent
            _ = try await world.pool.query(
                "update services set sla_policy_id = null where id > 30")
            let three = try await Self.fanOut(world).sent
            #expect(three.count == 3)
            _ = try await world.pool.query("update services set sla_policy_id = 1")
            try await Self.run(four + three, world)
            #expect(try await events(world.pool).count == 40)
            #expect(try await world.credited() == 40 * 500)
        }
    }

    @Test("killed at any step, the shards that come again leave what one run of each leaves")
    func kills() async throws {
        for place in 0..<12 {
            try await SweepWorld.with { (world) async throws in
                let sent = try await Self.fanOut(world).sent
                let guillotine = Guillotine(at: place)
                var falls = 0
                for message in sent {
                    do {
                        try await Self.run([message], world, guillotine.checkpoints)
                    } catch is Kill {
                        falls += 1
                        try await Self.run([message], world)
                    }
                }
                #expect(falls == 1)
                let recorded = try await events(world.pool).map(\.id)
                #expect(recorded.count == 40, "killed at \(guillotine.passed)")
                #expect(Set(world.log.all) == Set(recorded), "killed at \(guillotine.passed)")
                #expect(try await world.credited() == 40 * 500)
            }
        }
    }

    /// All that a sweep writes.
    private static func state(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            """
            select r::text as line from sla_results r union all
            select b::text from sla_breaches b union all
            select c::text from sla_credits c union all
            select e::text from events e order by 1
            """
        ).map { try $0["line"] }
    }
}
