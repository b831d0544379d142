import Foundation
import Postgres
import Store
import TestSupport
import Testing

/// One worked example: what was down, and what it comes to.
struct ServiceLevelCase: Sendable, CustomTestStringConvertible {
    let name: String
    let policy: Int64
    let charge: Int64
    let outages: [(at: String, seconds: Double)]
    let down: Int64
    let ppm: Int64
    let basisPoints: Int64
    let credit: Int64

    init(
        _ name: String, policy: Int64, charge: Int64 = 100_000, down: Int64, ppm: Int64,
        bp: Int64, credit: Int64, outages: [(at: String, seconds: Double)]? = nil
    ) {
        self.name = name
        self.policy = policy
        self.charge = charge
        self.outages = outages ?? [("2026-06-10 00:00", Double(down))]
        self.down = down
        self.ppm = ppm
        basisPoints = bp
        self.credit = credit
    }

    var testDescription: String { name }

    /// Worked from the published agreements; a month of 30 days has 2,592,000 s.
    static let all = [
        Self(
            "99.99 %: 259 s are within 259.2", policy: 1, down: 259, ppm: 999_900, bp: 0, credit: 0),
        Self("99.99 %: 260 s miss", policy: 1, down: 260, ppm: 999_899, bp: 1000, credit: 10_000),
        Self("99.0 % exactly", policy: 1, down: 25_920, ppm: 990_000, bp: 1000, credit: 10_000),
        Self(
            "a second below 99.0 %", policy: 1, down: 25_921, ppm: 989_999, bp: 3000, credit: 30_000
        ),
        Self("95.0 % exactly", policy: 1, down: 129_600, ppm: 950_000, bp: 3000, credit: 30_000),
        Self("below 95.0 %", policy: 1, down: 129_601, ppm: 949_999, bp: 10_000, credit: 100_000),
        Self(
            "99.9 %: 43.2 min pass", policy: 4, charge: 4999, down: 2592, ppm: 999_000, bp: 0,
            credit: 0),
        Self(
            "99.9 %: 47 min of 49.99", policy: 4, charge: 4999, down: 2820, ppm: 998_912, bp: 1000,
            credit: 500),
        Self("4:59 down", policy: 2, down: 299, ppm: 999_884, bp: 0, credit: 0),
        Self("5:00 down", policy: 2, down: 300, ppm: 999_884, bp: 500, credit: 5000),
        Self("59:59 down", policy: 2, down: 3599, ppm: 998_611, bp: 500, credit: 5000),
        Self("1:00:00 down", policy: 2, down: 3600, ppm: 998_611, bp: 1500, credit: 15_000),
        Self(
            "3 h down in two outages", policy: 2, down: 10_800, ppm: 995_833, bp: 3500,
            credit: 35_000,
            outages: [("2026-06-10 00:00", 5400), ("2026-06-20 00:00", 5400)]),
        Self("6 h down", policy: 2, down: 21_600, ppm: 991_666, bp: 5000, credit: 50_000),
        Self(
            "5 h: 2 of 30 days", policy: 3, charge: 30_000, down: 18_000, ppm: 993_055, bp: 666,
            credit: 2000),
        Self(
            "overlapping reports count once", policy: 4, down: 2400, ppm: 999_074, bp: 0,
            credit: 0, outages: [("2026-06-05 10:00", 1800), ("2026-06-05 10:20", 1200)]),
        Self(
            "an outage over the start of the month", policy: 4, down: 1200, ppm: 999_537, bp: 0,
            credit: 0, outages: [("2026-05-31 23:50", 1800)]),
        Self(
            "an outage over the end of the month", policy: 4, down: 600, ppm: 999_768, bp: 0,
            credit: 0, outages: [("2026-06-30 23:50", 1800)]),
        Self(
            "down all month and before and after", policy: 3, charge: 30_000, down: 2_592_000,
            ppm: 0, bp: 10_000, credit: 30_000, outages: [("2026-05-01 00:00", 9_000_000)]),
    ]
}

@Suite("Service levels of a month")
struct ServiceLevelSweepTests {
    @Test("a worked example comes out to the second and the cent", arguments: ServiceLevelCase.all)
    func examples(_ example: ServiceLevelCase) async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(7, policy: example.policy, charge: example.charge)
            for outage in example.outages {
                try await given.outage(of: 7, at: date(outage.at), seconds: outage.seconds)
            }
            for _ in 0..<2 { try await given.sweep() }
            #expect(
                try await given.result(7)
                    == [example.down, example.ppm, example.basisPoints, 1])
            #expect(try await given.credits(7) == (example.credit > 0 ? [example.credit] : []))
            #expect(try await given.breaches(7) == (example.basisPoints > 0 ? 1 : 0))
        }
    }

    @Test("maintenance counts as downtime unless it was announced a day ahead")
    func maintenance() async throws {
        for (announced, down) in [
            ("2026-06-04 02:00", 3600), ("2026-06-06 02:00", 3600),
            ("2026-06-06 02:01", 5400),
        ] {
            try await MigratedDatabase.with { pool in
                let given = try await ServiceLevelFixture(pool)
                try await given.service(1)
                try await given.outage(of: 1, at: date("2026-06-07 03:30"), seconds: 5400)
                try await given.maintenance(
                    at: date("2026-06-07 02:00"), seconds: 7200, announced: date(announced))
                try await given.sweep()
                #expect(try await given.down(1) == Int64(down), "announced \(announced)")
            }
        }
    }

    @Test("a service counts from its activation to its termination")
    func life() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1, from: date("2026-06-16 00:00"))
            try await given.service(17, until: date("2026-06-16 00:00"))
            for service in [Int64(1), 17] {
                try await given.outage(of: service, at: date("2026-06-10 00:00"), seconds: 1296)
                try await given.outage(of: service, at: date("2026-06-20 00:00"), seconds: 1296)
            }
            try await given.sweep()
            // 15 days of 99.9 % allow 1,296 s exactly.
            #expect(try await given.result(1) == [1296, 999_000, 0, 1])
            #expect(try await given.result(17) == [1296, 999_000, 0, 1])
            #expect(try await given.breaches(1) == 0)
        }
    }

    @Test("late reports raise the credit by the difference, under the one breach")
    func lateReport() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1, policy: 1)
            try await given.outage(of: 1, at: date("2026-06-10 00:00"), seconds: 3600)
            #expect(try await given.sweep().breaches == 1)
            try await given.outage(of: 1, at: date("2026-06-25 00:00"), seconds: 25_000)
            let second = try await given.sweep()
            #expect(second.figures == [1, 0, 1])
            #expect(try await given.credits(1) == [10_000, 20_000])
            #expect(try await given.breaches(1) == 1)
            #expect(try await given.result(1)?.last == 2)
            #expect(try await given.sweep() == ServiceLevelChanges())
        }
    }

    @Test("a withdrawn outage corrects the result and takes no credit back")
    func withdrawn() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1)
            try await given.outage(of: 1, at: date("2026-06-10 00:00"), seconds: 3600)
            try await given.sweep()
            _ = try await pool.query("delete from outages")
            try await given.sweep()
            #expect(try await given.result(1) == [0, 1_000_000, 0, 2])
            #expect(try await given.credits(1) == [10_000])
        }
    }

    @Test("an outage that lasts counts up to now, not to the end of the month")
    func ongoing() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1)
            try await given.outage(of: 1, at: date("2026-06-10 00:00"), seconds: nil)
            try await given.sweep(asOf: date("2026-06-10 00:40"))
            #expect(try await given.down(1) == 2400)
            #expect(try await given.breaches(1) == 0)
            try await given.sweep(asOf: date("2026-06-10 00:50"))
            #expect(try await given.down(1) == 3000)
            #expect(try await given.breaches(1) == 1)
        }
    }

    @Test("a sweep that comes late, as of an earlier moment, takes nothing back")
    func lateSweep() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1)
            try await given.outage(of: 1, at: date("2026-06-10 00:00"), seconds: nil)
            try await given.sweep(asOf: date("2026-06-10 00:50"))
            let late = try await given.sweep(asOf: date("2026-06-10 00:45"))
            #expect(late == ServiceLevelChanges())
            #expect(try await given.down(1) == 3000)
            // Alone it measures up to its own moment, however late it is.
            try await given.service(2)
            try await given.outage(of: 2, at: date("2026-06-10 00:00"), seconds: nil)
            try await given.sweep(asOf: date("2026-06-10 00:45"))
            #expect(try await given.down(2) == 2700)
            #expect(try await given.down(1) == 3000)
        }
    }

    @Test("after the grace nothing moves, and a late report counts for nothing")
    func finality() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.service(1)
            try await given.service(17)
            try await given.outage(of: 1, at: date("2026-06-10 00:00"), seconds: 3600)
            // The last report in time is recorded at the very end of the grace.
            try await given.outage(
                of: 1, at: date("2026-06-11 00:00"), seconds: 60,
                recorded: date("2026-07-03 00:00"))
            let afterGrace = date("2026-07-03 00:00")
            try await given.sweep(asOf: afterGrace)
            #expect(try await given.down(1) == 3660)
            for service in [Int64(1), 17] {
                try await given.outage(
                    of: service, at: date("2026-06-12 00:00"), seconds: 90_000,
                    recorded: date("2026-07-03 00:01"))
            }
            _ = try await pool.query(
                "update outages set during = tstzrange(lower(during), null) where service_id = 1")
            #expect(try await given.sweep(asOf: date("2026-07-04 00:00")) == ServiceLevelChanges())
            #expect(try await given.down(1) == 3660)
            #expect(try await given.result(17) == nil)
            #expect(try await given.credits(1) == [10_000])
        }
    }

    @Test("months begin and end in the zone of the policy, summer time included")
    func zones() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            _ = try await pool.query(
                """
                insert into sla_policies (id, name, target_ppm, basis, tz)
                values (5, 'New York', 999000, 'uptime', 'America/New_York')
                """)
            let levels = ServiceLevelRepository(pool: pool)
            for (month, hours) in [("2026-03-01", 743.0), ("2026-11-01", 721), ("2026-02-01", 672)]
            {
                let period = try #require(
                    try await levels.periods(ofMonth: month).first {
                        $0.timeZone == "America/New_York"
                    })
                #expect(period.end.timeIntervalSince(period.start) == hours * 3600)
            }
            let march = try #require(
                try await levels.periods(ofMonth: "2026-03-01").first { $0.timeZone != "UTC" })
            try await given.service(1, policy: 5)
            try await given.outage(of: 1, at: date("2026-03-01 04:00"), seconds: 7200)
            try await given.sweep(march)
            #expect(try await given.down(1) == 3600)
        }
    }

    @Test("the current month keeps the month before it for 48 hours, zone by zone")
    func currentPeriods() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            _ = try await given.pool.query(
                "update sla_policies set tz = 'America/New_York' where id = 2")
            let levels = ServiceLevelRepository(pool: pool)
            let starts: (String) async throws -> [String] = { now in
                try await levels.currentPeriods(at: date(now)).map {
                    "\($0.timeZone) \($0.start.formatted(.iso8601))"
                }
            }
            #expect(
                try await starts("2026-06-20 00:00") == [
                    "America/New_York 2026-06-01T04:00:00Z", "UTC 2026-06-01T00:00:00Z",
                ])
            #expect(
                try await starts("2026-07-03 01:00") == [
                    "America/New_York 2026-06-01T04:00:00Z",
                    "America/New_York 2026-07-01T04:00:00Z", "UTC 2026-07-01T00:00:00Z",
                ])
            #expect(
                try await starts("2026-07-01 01:00") == [
                    "America/New_York 2026-06-01T04:00:00Z", "UTC 2026-06-01T00:00:00Z",
                    "UTC 2026-07-01T00:00:00Z",
                ])
        }
    }

    @Test("six sweeps of one shard at once find each breach once and owe each credit once")
    func race() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            _ = try await pool.query(
                """
                insert into services (id, customer_id, plan_id, site_id, radius_username,
                    radius_password, mrc_minor, activated_at, sla_policy_id)
                select i * 16, 1, 1, 1, 'r' || i, 'pw', 4999, '2025-01-01Z', 4
                from generate_series(1, 500) i
                """)
            _ = try await pool.query(
                """
                insert into outages (service_id, during, recorded_at)
                select i * 16, tstzrange('2026-06-05Z', '2026-06-05Z'::timestamptz
                    + make_interval(secs => 2343 + i)), '2026-06-05Z'
                from generate_series(1, 500) i
                """)
            let total = try await withThrowingTaskGroup(of: ServiceLevelChanges.self) { group in
                for _ in 0..<6 { group.addTask { try await given.sweep() } }
                return try await group.reduce(ServiceLevelChanges(), +)
            }
            // 2,592 s are allowed: the services 250 to 500 have more.
            #expect(total.figures == [500, 251, 251])
            let sums = try await pool.query(
                """
                select (select sum(amount_minor)::bigint from sla_credits) as given,
                    (select sum(owed_minor)::bigint from sla_results) as owed
                """)
            #expect(try sums[0].decode("given", as: Int.self) == 251 * 500)
            #expect(try sums[0].decode("owed", as: Int.self) == 251 * 500)
        }
    }
}
