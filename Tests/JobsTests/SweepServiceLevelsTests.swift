import Foundation
import JobModel
import Jobs
import Postgres
import TestSupport
import Testing

@Suite("The sweep of service levels")
struct SweepServiceLevelsTests {
    private static let july = SweepWorld.july

    @Test("each breach is found, credited and told of once, whatever the number of sweeps")
    func once() async throws {
        try await SweepWorld.with { (world) async throws in
            let first = try await world.sweepAll()
            #expect(first == ["periods": 1, "results": 40, "breaches": 40, "credits": 40])
            let second = try await world.sweepAll(period: "2026-07")
            #expect(second == ["periods": 1, "results": 0, "breaches": 0, "credits": 0])
            #expect(try await world.credited() == 40 * 500)
            let recorded = try await events(world.pool)
            #expect(recorded.count == 40)
            #expect(Set(world.log.all) == Set(recorded.map(\.id)))
            #expect(world.log.all.count == 40)
            let data = recorded[0].payload["data"]
            #expect(data?["down_s"] == 3600)
            #expect(data?["period_start"] == "2026-07-01T00:00:00Z")
        }
    }

    @Test("a shard is swept alone, and the shards together are the whole, however many they are")
    func shards() async throws {
        for shards in [1, 3, 16, 256] {
            try await SweepWorld.with { (world) async throws in
                let time = HandClock(Self.july)
                var breaches = 0
                for shard in 0..<shards {
                    let result = try await ScopedRun(time: time).finish(
                        world.sweep(), .init(period: "current", shard: shard, shards: shards))
                    breaches += result["breaches"]?.intValue ?? 0
                }
                #expect(breaches == 40)
                #expect(try await events(world.pool).count == 40)
                #expect(world.log.all.count == 40)
            }
        }
    }

    @Test("a shard that a program of the release before asks for is one of sixteen")
    func formerShards() async throws {
        try await SweepWorld.with { (world) async throws in
            let time = HandClock(Self.july)
            for shard in 0..<16 {
                _ = try await ScopedRun(time: time).finish(world.sweep(), .init(shard: shard))
            }
            #expect(try await events(world.pool).count == 40)
            await #expect(throws: PermanentFailure.self) {
                _ = try await ScopedRun(time: time).finish(world.sweep(), .init(shard: 16))
            }
        }
    }

    @Test("more breaches than go into one call are all told of")
    func batches() async throws {
        try await SweepWorld.with(services: 2000, stride: 256) { (world) async throws in
            let result = try await ScopedRun(time: HandClock(Self.july)).finish(
                world.sweep(), .init(shard: 0, shards: 256))
            #expect(result["breaches"] == 2000)
            let recorded = try await events(world.pool).map(\.id)
            #expect(recorded.count == 2000)
            #expect(world.log.all.count == 2000)
            #expect(Set(world.log.all) == Set(recorded))
        }
    }

    @Test("killed at any step and run again, nothing is lost and nothing doubled")
    func kills() async throws {
        for place in 0..<6 {
            try await SweepWorld.with { (world) async throws in
                let guillotine = Guillotine(at: place)
                var hasFallen = false
                for period in ["2026-07", "2026-06"] {
                    do {
                        _ = try await world.sweepAll(period: period, guillotine.checkpoints)
                    } catch is Kill {
                        hasFallen = true
                        _ = try await world.sweepAll(period: period, guillotine.checkpoints)
                    }
                }
                #expect(hasFallen)
                let recorded = try await events(world.pool).map(\.id)
                #expect(recorded.count == 40, "killed at \(guillotine.passed)")
                #expect(Set(world.log.all) == Set(recorded), "killed at \(guillotine.passed)")
                #expect(try await world.credited() == 40 * 500)
            }
        }
    }

    @Test("in the first 48 hours of a month the month before is provisional, and then no more")
    func grace() async throws {
        try await SweepWorld.with { (world) async throws in
            let late = SweepWorld.august.addingTimeInterval(48 * 3600)
            let early = SweepWorld.august.addingTimeInterval(47 * 3600)
            #expect(try await world.sweepAll(period: "provisional", at: late)["periods"] == 0)
            #expect(try await world.sweepAll(at: late)["periods"] == 1)
            #expect(try await world.sweepAll(period: "current", at: early)["breaches"] == 0)
            #expect(try await world.sweepAll(at: early)["periods"] == 2)
            #expect(try await world.sweepAll(period: "provisional", at: early)["periods"] == 1)
            #expect(try await world.credited() == 40 * 500)
        }
    }

    @Test("a month that has not begun at the moment measured up to is not measured")
    func future() async throws {
        try await SweepWorld.with { (world) async throws in
            #expect(try await world.sweepAll(period: "2026-08")["periods"] == 0)
        }
    }

    @Test("it measures up to the moment that it was sent for, however late it runs")
    func asOf() async throws {
        try await SweepWorld.with { (world) async throws in
            _ = try await world.pool.query(
                "update outages set during = tstzrange(lower(during), null)")
            let payload = SweepServiceLevels.Payload(
                period: "current", shard: 0, at: "2026-07-10T00:50:00.000+00:00", shards: 1)
            let result = try await ScopedRun(
                time: HandClock(SweepWorld.august.addingTimeInterval(86_400))
            ).finish(world.sweep(), payload)
            #expect(result["results"] == 40)
            let down = try await world.pool.query("select distinct down_s from sla_results")
            #expect(try down.map { try $0.decode("down_s", as: Int.self) } == [3000])
        }
    }

    @Test(
        "a period, shard or moment that cannot be is a permanent failure that names the field",
        arguments: [
            ("period", .init(period: "2026-13", shard: 0)),
            ("period", .init(period: "2026-7")), ("period", .init(period: "now")),
            ("period", .init(period: "")), ("period", .init(period: "2026-07-01")),
            ("period", .init(period: "0000-01")), ("shard", .init(shard: 16)),
            ("shard", .init(shard: -1)), ("shard", .init(shard: 3, shards: 3)),
            ("shards", .init(shard: 0, shards: 0)), ("shards", .init(shard: 0, shards: 257)),
            ("at", .init(at: "soon")), ("at", .init(at: "")),
            ("at", .init(at: "{{ tick.due_at }}")), ("at", .init(at: "1969-12-31T23:59:59Z")),
            ("at", .init(at: "2026-07-20T00:02:01Z")),
        ] as [(String, SweepServiceLevels.Payload)])
    func invalid(field: String, payload: SweepServiceLevels.Payload) async throws {
        try await SweepWorld.with(services: 1) { (world) async throws in
            let failure = await #expect(throws: PermanentFailure.self) {
                _ = try await ScopedRun(time: HandClock(Self.july)).finish(world.sweep(), payload)
            }
            #expect(
                failure?.reason.hasPrefix(field + " ") == true, "\(String(describing: failure))")
        }
    }

    @Test("a clock that is two minutes behind is no reason to refuse")
    func skew() async throws {
        try await SweepWorld.with(services: 1) { (world) async throws in
            let run = try ScopedRun(time: HandClock(Self.july))
            _ = try await run.finish(world.sweep(), .init(at: "2026-07-20T00:02:00Z"))
            #expect(run.sent.count == 1)
        }
    }
}
