import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("The closing of a month")
struct ServiceLevelClosingTests {
    /// Everything that must not move: results, breaches, credits.
    private static func state(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            """
            select r::text as line from sla_results r union all
            select b::text from sla_breaches b union all
            select c::text from sla_credits c order by 1
            """
        ).map { try $0["line"] }
    }

    @Test("what is provisional becomes final, with the last report in time counted")
    func closing() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1)
            try await given.service(300)
            for service in [Int64(1), 300] {
                try await given.outage(of: service, at: date("2026-06-10 00:00"), seconds: 3600)
            }
            try await given.sweep()
            #expect(try await Self.finals(pool) == [false, false])
            try await given.outage(
                of: 1, at: date("2026-06-11 00:00"), seconds: 60,
                recorded: date("2026-07-03 00:00"))
            let first = try await given.close()
            #expect(first.results == 1)
            #expect(first.finals == 2)
            #expect(try await given.down(1) == 3660)
            #expect(try await Self.finals(pool) == [true, true])
            #expect(try await given.close() == ServiceLevelChanges())
            let closings = try await pool.query(
                """
                select closed_at, buckets = '{[0,256)}' as whole from sla_closings
                """)
            #expect(closings.count == 1)
            #expect(try closings[0]["closed_at"] == date("2026-07-03 00:00"))
            #expect(try closings[0]["whole"] == true)
        }
    }

    @Test("after it nothing moves: no report, no change of an outage, policy or price, no sweep")
    func nothingMoves() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1)
            try await given.service(2)
            try await given.service(3, policy: 1)
            try await given.outage(of: 1, at: date("2026-06-10 00:00"), seconds: 3600)
            try await given.outage(of: 3, at: date("2026-06-10 00:00"), seconds: 100)
            // Of service 2 all that was known in time is a second.
            try await given.outage(of: 2, at: date("2026-06-10 00:00"), seconds: 1)
            try await given.sweep()
            try await given.close()
            let before = try await Self.state(pool)
            #expect(before.count == 5)
            _ = try await pool.query(
                """
                update outages set during = tstzrange(lower(during), null),
                    recorded_at = '2026-06-12Z'
                """)
            try await given.service(4)
            try await given.outage(of: 4, at: date("2026-06-10 00:00"), seconds: 90_000)
            _ = try await pool.query("update services set mrc_minor = 900000, sla_policy_id = 2")
            _ = try await pool.query("update sla_policies set target_ppm = 999999")
            for moment in [
                "2026-06-20 00:00", "2026-07-01 00:00", "2026-07-03 00:00",
                "2026-09-01 00:00",
            ] {
                #expect(try await given.sweep(asOf: date(moment)) == ServiceLevelChanges())
            }
            #expect(try await given.close(asOf: date("2026-09-01 00:00")) == ServiceLevelChanges())
            #expect(try await Self.state(pool) == before)
        }
    }

    @Test("it is closed part by part, however the parts are cut; what is open still moves")
    func parts() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            // Buckets 10 and 200.
            try await given.service(10)
            try await given.service(200)
            for service in [Int64(10), 200] {
                try await given.outage(of: service, at: date("2026-06-10 00:00"), seconds: 3600)
            }
            try await given.close(buckets: 0..<128)
            #expect(try await given.down(10) == 3600)
            #expect(try await given.down(200) == nil)
            for service in [Int64(10), 200] {
                try await given.outage(
                    of: service, at: date("2026-06-11 00:00"), seconds: 600,
                    recorded: date("2026-07-01 00:00"))
            }
            #expect(try await given.sweep().results == 1)
            #expect(try await given.down(10) == 3600)
            #expect(try await given.down(200) == 4200)
            let open = try await pool.query("select closed_at from sla_closings")
            #expect(try open[0].decode("closed_at", as: Date?.self) == nil)
            try await given.close(buckets: 64..<256)
            let whole = try await pool.query("select closed_at from sla_closings")
            #expect(try whole[0].decode("closed_at", as: Date?.self) != nil)
            #expect(try await Self.finals(pool) == [true, true])
        }
    }

    @Test("a result under a policy that the service no longer has becomes final too")
    func formerPolicy() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1)
            try await given.outage(of: 1, at: date("2026-06-10 00:00"), seconds: 3600)
            try await given.sweep()
            _ = try await pool.query("update services set sla_policy_id = 1")
            try await given.close()
            #expect(try await Self.finals(pool) == [true, true])
        }
    }

    @Test("months can be closed 48 hours after their end, zone by zone, and once")
    func closable() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            _ = try await pool.query("update sla_policies set tz = 'America/New_York' where id = 2")
            let levels = ServiceLevelRepository(pool: pool)
            let found: (String, Int) async throws -> [String] = { now, limit in
                try await levels.closablePeriods(at: date(now), limit: limit)
                    .map { "\($0.timeZone) \($0.month)" }
            }
            #expect(
                try await found("2026-07-02 23:59", 9) == [
                    "UTC 2026-05", "America/New_York 2026-05",
                ])
            #expect(
                try await found("2026-07-03 00:00", 9) == [
                    "America/New_York 2026-05", "UTC 2026-06",
                ])
            try await given.close()
            #expect(try await found("2026-07-03 00:00", 9) == ["America/New_York 2026-05"])
            // A month in which something was measured is not forgotten, however old.
            try await given.service(1)
            try await given.outage(of: 1, at: date("2026-03-10 00:00"), seconds: 3600)
            let march = try #require(
                try await levels.periods(ofMonth: "2026-03-01").first { $0.timeZone == "UTC" })
            try await given.sweep(march)
            #expect(
                try await found("2026-07-03 00:00", 9) == [
                    "UTC 2026-03", "America/New_York 2026-05",
                ])
            #expect(try await found("2026-07-03 00:00", 1) == ["UTC 2026-03"])
        }
    }

    @Test("closing and sweeping at once end as closing after sweeping does")
    func race() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            for service in Int64(1)...20 {
                try await given.service(service)
                try await given.outage(of: service, at: date("2026-06-10 00:00"), seconds: 3600)
            }
            let total = try await withThrowingTaskGroup(of: ServiceLevelChanges.self) { group in
                for _ in 0..<3 {
                    group.addTask { try await given.sweep() }
                    group.addTask { try await given.close() }
                }
                return try await group.reduce(ServiceLevelChanges(), +)
            }
            #expect(total.breaches == 20)
            #expect(total.credits == 20)
            #expect(total.finals == 20)
            #expect(try await Self.finals(pool) == Array(repeating: true, count: 20))
        }
    }

    private static func finals(_ pool: PostgresPool) async throws -> [Bool] {
        try await pool.query("select final from sla_results").map { try $0["final"] }
    }
}

extension ServiceLevelFixture {
    /// Closes some buckets of June at the end of its grace.
    @discardableResult
    func close(buckets: Range<Int>) async throws -> ServiceLevelChanges {
        try await close(Self.june, ServiceLevelBuckets(buckets))
    }
}
