import Foundation
import JobModel
import Jobs
import Postgres
import Store
import TestSupport
import Testing

@Suite("The sweep of service levels")
struct SweepServiceLevelsTests {
    /// 20 July 2026, 00:00 UTC.
    private static let july = Date(timeIntervalSince1970: 1_784_505_600)

    private static func run(
        _ pool: PostgresPool, _ log: FanOutLog, period: String? = nil, shard: Int? = nil,
        at now: Date = july, _ checkpoints: Checkpoints = .none
    ) async throws -> JSONValue {
        let job = SweepServiceLevels(
            pool: pool, publisher: log.publisher, checkpoints: checkpoints)
        let verdict = try await job.run(
            SweepServiceLevels.Payload(period: period, shard: shard),
            in: jobContext(time: HandClock(now)))
        guard case .finished(let result) = verdict else { throw Unfinished() }
        return result
    }

    private struct Unfinished: Error {}

    /// Services under 99.9 %, in all shards unless `stride` is 16, each an hour down on 10 July 2026.
    private static func with(
        services: Int = 40, stride: Int = 1, _ body: (PostgresPool, FanOutLog) async throws -> Void
    ) async throws {
        try await MigratedDatabase.with { pool in
            try await SeedRows.customer(pool)
            _ = try await pool.query(
                """
                insert into plans (id, name, radius_group, down_bps, up_bps, mrc_minor)
                values (1, 'f', 'plan:f', 1000, 1000, 4999)
                """)
            _ = try await pool.query(
                """
                insert into sla_policies (id, name, target_ppm, basis)
                values (1, '99.9 %', 999000, 'uptime')
                """)
            _ = try await pool.query(
                "insert into sla_bands values (1, 990000, 999000, 1000), (1, 0, 990000, 2500)")
            _ = try await pool.query(
                """
                insert into services (id, customer_id, plan_id, radius_username,
                    radius_password, mrc_minor, activated_at, sla_policy_id)
                select i * \(stride), 1, 1, 'u' || i, 'pw', 4999, '2025-01-01Z', 1
                from generate_series(1, \(services)::bigint) i
                """)
            _ = try await pool.query(
                """
                insert into outages (service_id, during, recorded_at)
                select id, tstzrange('2026-07-10 00:00Z', '2026-07-10 01:00Z'), '2026-07-10 01:00Z'
                from services
                """)
            try await body(pool, FanOutLog())
        }
    }

    private static func credited(_ pool: PostgresPool) async throws -> Int64 {
        try await pool.query(
            "select coalesce(sum(amount_minor), 0)::bigint as sum from sla_credits")[0]["sum"]
    }

    @Test("each breach is found, credited and told of once, whatever the number of sweeps")
    func once() async throws {
        try await Self.with { pool, log in
            let first = try await Self.run(pool, log)
            #expect(
                first == [
                    "periods": 1, "shards": 16, "results": 40, "breaches": 40, "credits": 40,
                ])
            let second = try await Self.run(pool, log, period: "2026-07")
            #expect(second["results"] == 0)
            #expect(second["breaches"] == 0)
            #expect(second["credits"] == 0)
            #expect(try await Self.credited(pool) == 40 * 500)
            let recorded = try await events(pool)
            #expect(recorded.count == 40)
            #expect(Set(log.all) == Set(recorded.map(\.id)))
            #expect(log.all.count == 40)
            let data = recorded[0].payload["data"]
            #expect(data?["down_s"] == 3600)
            #expect(data?["period_start"] == "2026-07-01T00:00:00Z")
        }
    }

    @Test("a shard is swept alone, and the shards together are the whole")
    func shards() async throws {
        try await Self.with { pool, log in
            let one = try await Self.run(pool, log, period: "current", shard: 5)
            // Services 5, 21 and 37.
            #expect(one["breaches"] == 3)
            for shard in 0..<16 { _ = try await Self.run(pool, log, shard: shard) }
            #expect(try await events(pool).count == 40)
            #expect(log.all.count == 40)
        }
    }

    @Test("more breaches than go into one call are all told of")
    func batches() async throws {
        try await Self.with(services: 2000, stride: 16) { pool, log in
            let result = try await Self.run(pool, log, shard: 0)
            #expect(result["breaches"] == 2000)
            let recorded = try await events(pool).map(\.id)
            #expect(recorded.count == 2000)
            #expect(log.all.count == 2000)
            #expect(Set(log.all) == Set(recorded))
        }
    }

    @Test("killed at any step and run again, nothing is lost and nothing doubled")
    func kills() async throws {
        for place in 0..<6 {
            try await Self.with { pool, log in
                let guillotine = Guillotine(at: place)
                await #expect(throws: Kill.self) {
                    _ = try await Self.run(pool, log, guillotine.checkpoints)
                }
                _ = try await Self.run(pool, log, guillotine.checkpoints)
                let recorded = try await events(pool).map(\.id)
                #expect(recorded.count == 40, "killed at \(guillotine.passed)")
                #expect(Set(log.all) == Set(recorded), "killed at \(guillotine.passed)")
                #expect(try await Self.credited(pool) == 40 * 500)
            }
        }
    }

    @Test("in the first 48 hours of a month the month before is swept too, and then no more")
    func grace() async throws {
        try await Self.with { pool, log in
            let august = Date(timeIntervalSince1970: 1_785_542_400)
            let late = try await Self.run(pool, log, at: august.addingTimeInterval(48 * 3600))
            #expect(late["periods"] == 1)
            #expect(late["breaches"] == 0)
            let early = try await Self.run(pool, log, at: august.addingTimeInterval(47 * 3600))
            #expect(early["periods"] == 2)
            #expect(early["breaches"] == 40)
        }
    }

    @Test(
        "a period or shard that does not exist is a permanent failure",
        arguments: [
            ("2026-13", nil), ("2026-7", nil), ("now", nil), ("", nil), ("2026-07-01", nil),
            ("0000-01", nil), ("current", 16), ("current", -1),
        ] as [(String, Int?)])
    func invalid(period: String, shard: Int?) async throws {
        try await Self.with { pool, log in
            await #expect(throws: PermanentFailure.self) {
                _ = try await Self.run(pool, log, period: period, shard: shard)
            }
        }
    }
}
