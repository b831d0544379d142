import Foundation
import JobModel
import Jobs
import Postgres
import TestSupport
import Testing

@Suite("Alerts on burning budgets")
struct AlertOnBurnTests {
    /// 10 July 2026, 00:10 UTC: every service has been down for ten minutes.
    private static let now = Date(timeIntervalSince1970: 1_783_642_200)
    private static let single = ShardPlan(servicesPerShard: 1000)

    private static func look(
        _ world: SweepWorld, at moment: Date = now, _ checkpoints: Checkpoints = .none
    ) async throws -> JSONValue {
        try await ScopedRun(time: HandClock(moment)).finish(
            world.alert(checkpoints, plan: single), .init())
    }

    @Test("an episode is told of once, minute after minute, and closed when it is over")
    func once() async throws {
        try await SweepWorld.with { (world) async throws in
            // Of 99.9 % ten minutes are 600 s: above 51.84 in the hour and 129.6 in six.
            #expect(try await Self.look(world) == ["opened": 120, "closed": 0])
            for minute in 1..<5 {
                let later = Self.now.addingTimeInterval(Double(minute) * 60)
                #expect(try await Self.look(world, at: later) == ["opened": 0, "closed": 0])
            }
            let recorded = try await events(world.pool)
            #expect(recorded.count == 120)
            #expect(world.log.all.count == 120)
            let data = recorded.first { $0.payload["data"]?["window"] == "1h" }?.payload["data"]
            #expect(data?["down_s"] == 600)
            // Of 31 days the budget is 2,678.4 s.
            #expect(data?["budget_ppm"] == 224_014)
            #expect(data?["opened_at"] == "2026-07-10T00:10:00Z")
            let after = Self.now.addingTimeInterval(2 * 3600)
            // The hour's and the six hours' short windows are over at 02:10, not that of three days.
            #expect(try await Self.look(world, at: after) == ["opened": 0, "closed": 80])
            #expect(try await events(world.pool).count == 120)
        }
    }

    @Test("many services are looked at by shards, which together see what one look sees")
    func shards() async throws {
        try await SweepWorld.with { (world) async throws in
            let run = try ScopedRun(
                headers: ["backhaul_tick_due_at": "2026-07-10T00:10:00.000+00:00"],
                time: HandClock(Self.now.addingTimeInterval(600)))
            let result = try await run.finish(world.alert(), .init())
            #expect(result["jobs"] == 4)
            #expect(
                run.sent.map(\.id.text).sorted().first
                    == "sla.burn_alert:2026-07-10T00:10:00Z:0-of-4")
            for message in run.sent + run.sent {
                _ = try await ScopedRun(time: HandClock(Self.now.addingTimeInterval(600)))
                    .finish(world.alert(), message.payload())
            }
            let alerts = try await world.pool.query(
                "select distinct opened_at, down_s from sla_burn_alerts")
            #expect(alerts.count == 1)
            #expect(try alerts[0]["down_s"] == 600)
            #expect(try alerts[0]["opened_at"] == Self.now)
            #expect(try await events(world.pool).count == 120)
            #expect(world.log.all.count == 120)
        }
    }

    @Test("killed at any step, the next minute tells what was not told, and nothing twice")
    func kills() async throws {
        for place in 0..<3 {
            try await SweepWorld.with { (world) async throws in
                let guillotine = Guillotine(at: place)
                await #expect(throws: Kill.self) {
                    _ = try await Self.look(world, at: Self.now, guillotine.checkpoints)
                }
                _ = try await Self.look(world, at: Self.now.addingTimeInterval(60))
                let recorded = try await events(world.pool).map(\.id)
                #expect(recorded.count == 120, "killed at \(guillotine.passed)")
                #expect(Set(world.log.all) == Set(recorded), "killed at \(guillotine.passed)")
            }
        }
    }

    @Test("a shard or moment that cannot be is a permanent failure")
    func invalid() async throws {
        try await SweepWorld.with(services: 1) { (world) async throws in
            for payload in [
                AlertOnBurn.Payload(shard: 16), .init(shard: 0, shards: 0), .init(at: "noon"),
                .init(at: "2026-07-10T00:12:01Z"),
            ] {
                await #expect(throws: PermanentFailure.self) {
                    _ = try await ScopedRun(time: HandClock(Self.now)).finish(
                        world.alert(), payload)
                }
            }
        }
    }
}
