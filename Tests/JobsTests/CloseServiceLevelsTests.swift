import Foundation
import JobModel
import Jobs
import Postgres
import TestSupport
import Testing

@Suite("Closing service levels")
struct CloseServiceLevelsTests {
    private static let deadline = SweepWorld.august.addingTimeInterval(48 * 3600)

    /// Runs the closing of an hour, and the jobs it sends; returns how many they were.
    private static func close(
        _ world: SweepWorld, at moment: Date = deadline, _ checkpoints: Checkpoints = .none
    ) async throws -> Int {
        let run = try ScopedRun(time: HandClock(moment))
        _ = try await run.finish(world.close(), .init())
        for message in run.sent {
            _ = try await ScopedRun(time: HandClock(moment.addingTimeInterval(60)))
                .finish(world.close(checkpoints), message.payload())
        }
        return run.sent.count
    }

    @Test("the month before becomes final 48 hours after its end, shard by shard, and once")
    func closes() async throws {
        try await SweepWorld.with { (world) async throws in
            _ = try await world.sweepAll()
            let early = try await Self.close(world, at: Self.deadline.addingTimeInterval(-1))
            // Of June, whose grace is over, there is nothing; July is still provisional.
            #expect(early == 4)
            #expect(try await world.finals() == [0, 40])
            #expect(try await Self.close(world) == 4)
            #expect(try await world.finals() == [40, 0])
            #expect(try await Self.close(world, at: Self.deadline.addingTimeInterval(3600)) == 0)
        }
    }

    @Test("what was reported in time and not yet swept is breached, credited and told of")
    func lastReports() async throws {
        try await SweepWorld.with { (world) async throws in
            #expect(try await Self.close(world) == 4)
            #expect(try await world.finals() == [40, 0])
            #expect(try await world.credited() == 40 * 500)
            #expect(try await events(world.pool).count == 40)
            #expect(world.log.all.count == 40)
        }
    }

    @Test("after it late reports, sweeps of that month and repeats move nothing")
    func nothingMoves() async throws {
        try await SweepWorld.with { (world) async throws in
            _ = try await world.sweepAll()
            _ = try await Self.close(world)
            _ = try await world.pool.query(
                """
                insert into outages (service_id, during, recorded_at)
                select id, tstzrange('2026-07-12Z', null), '2026-07-12Z' from services
                """)
            _ = try await world.pool.query("update services set mrc_minor = 1000000")
            let swept = try await world.sweepAll(period: "2026-07", at: Self.deadline)
            #expect(swept == ["periods": 1, "results": 0, "breaches": 0, "credits": 0])
            let again = try await ScopedRun(time: HandClock(Self.deadline)).finish(
                world.close(), .init(period: "2026-07", shard: 0, shards: 1))
            #expect(
                again == [
                    "periods": 1, "results": 0, "breaches": 0, "credits": 0, "finals": 0,
                ])
            #expect(try await world.credited() == 40 * 500)
            #expect(try await events(world.pool).count == 40)
        }
    }

    @Test("results of services that are no longer under contract become final too")
    func ended() async throws {
        try await SweepWorld.with { (world) async throws in
            _ = try await world.sweepAll()
            _ = try await world.pool.query("update services set sla_policy_id = null")
            #expect(try await Self.close(world) == 1)
            #expect(try await world.finals() == [40, 0])
        }
    }

    @Test("killed at any step and run again, all is final and nothing doubled")
    func kills() async throws {
        for place in 0..<12 {
            try await SweepWorld.with { (world) async throws in
                let guillotine = Guillotine(at: place)
                await #expect(throws: Kill.self) {
                    _ = try await Self.close(world, at: Self.deadline, guillotine.checkpoints)
                }
                // The hour after finds what is left; events that were not handed on go by the sweep.
                _ = try await Self.close(world, at: Self.deadline.addingTimeInterval(3600))
                _ = try await world.sweepAll(period: "2026-07", at: Self.deadline)
                let recorded = try await events(world.pool).map(\.id)
                #expect(recorded.count == 40, "killed at \(guillotine.passed)")
                #expect(Set(world.log.all) == Set(recorded), "killed at \(guillotine.passed)")
                #expect(try await world.finals() == [40, 0])
                #expect(try await world.credited() == 40 * 500)
            }
        }
    }

    @Test(
        "a month that is not over, or cannot be named, is not closed",
        arguments: ["2026-08", "2026-09", "current", "provisional", "2026-13", "July"])
    func refused(period: String) async throws {
        try await SweepWorld.with(services: 1) { (world) async throws in
            for shard in [nil, 0] {
                let failure = await #expect(throws: PermanentFailure.self) {
                    _ = try await ScopedRun(time: HandClock(Self.deadline)).finish(
                        world.close(), .init(period: period, shard: shard))
                }
                #expect(failure?.reason.hasPrefix("period ") == true)
            }
        }
    }
}
