import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("Burn alerts")
struct ServiceLevelBurnTests {
    /// The middle of a month of thirty days.
    private static let noon = date("2026-06-15 12:00")

    /// Adds policy 6: of 98.75 %, so that each rule's limit is a whole number of seconds, 648, 1,620
    /// and 3,240, and those of the short windows 54, 135 and 270.
    private static func with(_ body: (ServiceLevelFixture) async throws -> Void) async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            _ = try await pool.query(
                """
                insert into sla_policies (id, name, target_ppm, basis)
                values (6, '98.75 %', 987500, 'uptime')
                """)
            try await given.service(1, policy: 6)
            try await body(given)
        }
    }

    /// Rule, seconds down and share of the budget of every episode, oldest first.
    private static func episodes(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            """
            select concat_ws(' ', alert, down_s, budget_ppm,
                case when closed_at is null then 'open' else 'closed' end) as line
            from sla_burn_alerts order by opened_at, alert
            """
        ).map { try $0["line"] }
    }

    @Test("the rules' windows spend 2, 5 and 10 % of thirty days' budget")
    func rules() {
        let month = 30 * 86_400
        // rate × window ÷ month, in parts per million; exact for these three.
        #expect(
            BurnRule.all.map { $0.rateTenths * $0.long * 1_000_000 / (10 * month) } == [
                20_000, 50_000, 100_000,
            ])
        #expect(
            BurnRule.all.map { $0.rateTenths * $0.long * 1_000_000 % (10 * month) } == [0, 0, 0])
        #expect(BurnRule.all.map(\.short) == BurnRule.all.map { $0.long / 12 })
        #expect(BurnRule.all.map(\.name) == ["1h", "6h", "3d"])
    }

    @Test(
        "a rule burns a second above its rate and not at it; what is spent is told exactly",
        arguments: [
            // 14.4 × 1.25 % of an hour is 648 s, 2 % of a budget of 32,400 s.
            (648, nil), (649, "1h 649 20031 open"),
        ] as [(Double, String?)])
    func boundary(seconds: Double, expected: String?) async throws {
        try await Self.with { (given) async throws in
            try await given.outage(
                of: 1, at: Self.noon.addingTimeInterval(-seconds), seconds: seconds)
            try await given.burn(at: Self.noon)
            #expect(try await Self.episodes(given.pool) == (expected.map { [$0] } ?? []))
        }
    }

    @Test("6 × over six hours is 5 % of the budget, and 1 × over three days 10 %")
    func slowRules() async throws {
        try await Self.with { (given) async throws in
            // 900 s two hours ago and 600 now: 1,500 in six hours, too little for the last one.
            try await given.outage(of: 1, at: date("2026-06-15 09:45"), seconds: 900)
            try await given.outage(of: 1, at: date("2026-06-15 11:50"), seconds: 600)
            try await given.burn(at: Self.noon)
            #expect(try await Self.episodes(given.pool) == [])
            // 120 s more: 1,620, not above.
            try await given.outage(of: 1, at: date("2026-06-15 08:00"), seconds: 120)
            try await given.burn(at: Self.noon)
            #expect(try await Self.episodes(given.pool) == [])
            try await given.outage(of: 1, at: date("2026-06-15 07:00"), seconds: 1)
            try await given.burn(at: Self.noon)
            #expect(try await Self.episodes(given.pool) == ["6h 1621 50031 open"])
            // Two days ago 1,620 s: 3,241 in three days.
            try await given.outage(of: 1, at: date("2026-06-13 12:00"), seconds: 1620)
            try await given.burn(at: Self.noon)
            #expect(
                try await Self.episodes(given.pool) == [
                    "3d 3241 100031 open", "6h 1621 50031 open",
                ]
            )
        }
    }

    @Test("what has stopped in the short window opens nothing, however bad the long one is")
    func over() async throws {
        try await Self.with { (given) async throws in
            try await given.outage(of: 1, at: date("2026-06-15 11:05"), seconds: 3000)
            // Ends 11:55: five minutes ago, so the hour burns and its short window does not.
            try await given.burn(at: Self.noon)
            #expect(
                try await Self.episodes(given.pool).filter { $0.hasPrefix("1h") } == [])
            try await given.burn(at: date("2026-06-15 11:56"))
            #expect(try await Self.episodes(given.pool).contains("1h 3000 92593 open"))
        }
    }

    @Test("an episode is one row from its first minute to its last, and the next is another")
    func episode() async throws {
        try await Self.with { (given) async throws in
            try await given.outage(of: 1, at: date("2026-06-15 12:00"), seconds: 1200)
            var changes: [BurnChanges] = []
            for minute in 0...40 {
                let moment = Self.noon.addingTimeInterval(Double(minute) * 60)
                changes.append(try await given.burn(at: moment))
                // The same minute again, and one that comes late.
                #expect(try await given.burn(at: moment) == BurnChanges())
                #expect(
                    try await given.burn(at: moment.addingTimeInterval(-120)) == BurnChanges())
            }
            let hour = try await given.pool.query(
                """
                select opened_at, closed_at from sla_burn_alerts where alert = '1h'
                """)
            #expect(hour.count == 1)
            // 648 s are over after 11 minutes; 54 s in five minutes until 24:06.
            #expect(try hour[0]["opened_at"] == date("2026-06-15 12:11"))
            #expect(try hour[0]["closed_at"] == date("2026-06-15 12:25"))
            try await given.outage(of: 1, at: date("2026-06-15 12:50"), seconds: 600)
            #expect(try await given.burn(at: date("2026-06-15 12:52")).opened == 1)
            #expect(
                try await Self.episodes(given.pool).filter { $0.hasPrefix("1h") }.count == 2)
        }
    }

    @Test("announced maintenance, and time without the service, spend nothing")
    func excused() async throws {
        try await Self.with { (given) async throws in
            try await given.outage(of: 1, at: date("2026-06-15 11:00"), seconds: nil)
            try await given.maintenance(
                at: date("2026-06-15 11:00"), seconds: 3600, announced: date("2026-06-14 11:00"))
            #expect(try await given.burn(at: Self.noon) == BurnChanges())
            _ = try await given.pool.query(
                "update maintenance set notified_at = '2026-06-14 11:01Z'")
            #expect(try await given.burn(at: Self.noon).opened == 3)
            // Terminated: what is open is closed.
            _ = try await given.pool.query(
                "update services set terminated_at = '2026-06-15 11:01Z'")
            #expect(
                try await given.burn(at: date("2026-06-15 12:01")) == BurnChanges(closed: 3))
        }
    }

    @Test("without a budget any outage burns; with a large one 14.4 is out of reach")
    func extremes() async throws {
        try await Self.with { (given) async throws in
            _ = try await given.pool.query(
                """
                insert into sla_policies (id, name, target_ppm, basis)
                values (7, 'all', 1000000, 'uptime'), (8, '90 %', 900000, 'uptime')
                """)
            try await given.service(2, policy: 7)
            try await given.service(3, policy: 8)
            try await given.outage(of: 2, at: date("2026-06-15 11:59"), seconds: 1)
            try await given.outage(of: 3, at: date("2026-06-12 12:00"), seconds: nil)
            try await given.burn(at: Self.noon)
            let found = try await given.pool.query(
                """
                select service_id, array_agg(alert order by alert) as rules,
                    bool_and(budget_ppm is null) as without
                from sla_burn_alerts group by service_id order by service_id
                """)
            #expect(try found.map { try $0.decode("service_id", as: Int64.self) } == [2, 3])
            #expect(
                try found.map { try $0.decode("rules", as: [String].self) } == [
                    ["1h", "3d", "6h"], ["3d", "6h"],
                ])
            #expect(try found.map { try $0.decode("without", as: Bool.self) } == [true, false])
        }
    }

    @Test("six looks at once open each episode once")
    func race() async throws {
        try await Self.with { (given) async throws in
            for service in Int64(2)...60 {
                try await given.service(service, policy: 6)
                try await given.outage(of: service, at: date("2026-06-15 11:40"), seconds: nil)
            }
            let total = try await withThrowingTaskGroup(of: BurnChanges.self) { group in
                for part in 0..<6 {
                    // Whole and parts, so that some share buckets and some do not.
                    let buckets =
                        part < 3 ? .all : ServiceLevelBuckets(part: part - 3, of: 3)
                    group.addTask { try await given.burn(at: Self.noon, buckets) }
                }
                return try await group.reduce(into: BurnChanges()) { $0.opened += $1.opened }
            }
            // 20 minutes: above 648 s of the hour, not above 1,620 of six.
            #expect(total.opened == 59)
            #expect(try await Self.episodes(given.pool).count == 59)
        }
    }

    @Test("episodes that ended long ago, and were told of, are forgotten in batches")
    func forgetting() async throws {
        try await Self.with { (given) async throws in
            _ = try await given.pool.query(
                """
                insert into sla_burn_alerts
                    (service_id, policy_id, alert, opened_at, closed_at, down_s, announced_at)
                select 1, 6, '1h', at, case when n > 1 then at + interval '1 minute' end, 1,
                    case when n > 2 then at end
                from generate_series(1, 12) n,
                    lateral (select '2026-01-01Z'::timestamptz - make_interval(days => n) as at) x
                """)
            let alerts = ServiceLevelAlertRepository(pool: given.pool)
            let newYear = date("2026-01-01 00:00")
            #expect(try await alerts.forget(closedBefore: newYear, limit: 7) == 7)
            #expect(try await alerts.forget(closedBefore: newYear, limit: 7) == 3)
            #expect(try await alerts.forget(closedBefore: newYear, limit: 7) == 0)
            #expect(try await Self.episodes(given.pool).count == 2)
        }
    }
}
