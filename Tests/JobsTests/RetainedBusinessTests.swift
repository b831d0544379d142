import Foundation
import JobModel
import Jobs
import Postgres
import Store
import TestSupport
import Testing

@Suite("What retention never touches")
struct RetainedBusinessTests {
    /// Tables of history: the only ones that the job may change.
    private static let history: Set = [
        "public.events", "public.webhook_deliveries", "public.job_effects", "backhaul.inbox",
        "backhaul.outbox_dedup", "backhaul.outbox_parked", "backhaul.schedule_changes",
    ]

    @Test("customers, money, breaches and credits stay, row for row, whatever their age")
    func business() async throws {
        try await RetentionWorld.with { (world) async throws in
            try await Self.seed(world.pool)
            try await world.addEndpoint()
            let old = world.now.addingTimeInterval(-2000 * 86_400)
            try await world.live(through: old, number: 1)
            let before = try await Self.fingerprint(world.pool)
            #expect(before.values.count { $0 != "0 " } >= 10, "\(before)")
            var keeps = RetentionKeeps()
            keeps.events = .days(1)
            keeps.inbox = .days(1)
            let result = try await world.run(keeps: keeps)
            #expect(result["deleted"]?["events"] == 1)
            #expect(try await Self.fingerprint(world.pool) == before)
        }
    }

    @Test("every table is either history with a limit, or named here as kept for good")
    func allTables() async throws {
        let kept: Set = [
            "customers", "sites", "plans", "services", "provisioning_operations", "radcheck",
            "radreply", "radusergroup", "radgroupcheck", "radgroupreply", "invoices",
            "payment_attempts", "ledger", "sla_policies", "sla_bands", "outages", "maintenance",
            "sla_results", "sla_breaches", "sla_credits", "webhook_endpoints",
            "backhaul_migrations", "sla_closings",
            // Bounded by the job that writes them.
            "sla_burn_alerts",
            // Bounded by what they describe: entries, and rows that the relay takes away.
            "schedule_entries", "outbox",
        ]
        let bounded = Set(Self.history.map { String($0.split(separator: ".")[1]) })
        try await MigratedDatabase.with { pool in
            let tables = try await pool.query(
                """
                select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where c.relkind = 'r' and not c.relispartition
                    and n.nspname in ('public', 'radius', 'backhaul')
                """)
            for row in tables {
                let name: String = try row["name"]
                #expect(
                    kept.contains(name) != bounded.contains(name),
                    "\(name) must be bounded by backhaul.retention, or be kept on purpose")
            }
        }
    }

    /// The rows of every table that is no history: how many, and a hash of them all.
    private static func fingerprint(_ pool: PostgresPool) async throws -> [String: String] {
        let tables = try await pool.query(
            """
            select n.nspname || '.' || c.relname as name
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind = 'r' and not c.relispartition
                and n.nspname in ('public', 'radius', 'backhaul')
            """
        ).map { row -> String in try row["name"] }
        var prints: [String: String] = [:]
        for table in tables where !history.contains(table) {
            let row = try await pool.query(
                PostgresQuery(
                    trustedSQL: """
                        select count(*) || ' ' || coalesce(md5(string_agg(t::text, '' order by t::text)), '')
                            as print from \(table) t
                        """, name: "test.fingerprint"))
            prints[table] = try row[0]["print"]
        }
        return prints
    }

    /// A customer of long ago, with all that was ever owed and paid.
    private static func seed(_ pool: PostgresPool) async throws {
        try await SeedRows.customer(pool)
        try await SeedRows.invoices(pool, 3)
        try await SeedRows.service(pool)
        _ = try await pool.batch([
            """
            insert into payment_attempts (invoice_id, attempt_no, idem_key, amount_minor, currency,
                payment_method, state, job_id, gateway_id, created_at)
            values (1, 1, 'inv-1-a1', 4999, 'USD', 'pm', 'succeeded', 'j', 'pi_1', '2020-01-01Z')
            """,
            """
            insert into ledger (source, account, amount_minor, currency, recorded_at)
            values ('charge:pi_1', 'gateway_clearing', 4999, 'USD', '2020-01-01Z'),
                ('charge:pi_1', 'accounts_receivable', -4999, 'USD', '2020-01-01Z')
            """,
            "insert into sla_policies (id, name, target_ppm, basis) values (1, 'p', 999000, 'uptime')",
            "insert into sla_bands (policy_id, lo, hi, credit_bp) values (1, 0, 999000, 1000)",
            """
            insert into outages (service_id, during)
            values (1, '[2020-01-01 00:00Z, 2020-01-02 00:00Z)')
            """,
            """
            insert into sla_results (service_id, policy_id, period_start, period_end, total_s, down_s,
                uptime_ppm, credit_bp, owed_minor, breached, computed_at)
            values (1, 1, '2020-01-01Z', '2020-02-01Z', 100, 10, 900000, 1000, 499, true, '2020-02-01Z')
            """,
            """
            insert into sla_breaches (id, service_id, policy_id, period_start, detected_at)
            values (1, 1, 1, '2020-01-01Z', '2020-02-01Z')
            """,
            """
            insert into sla_credits (breach_id, seq, amount_minor, currency, reason, credited_at)
            values (1, 1, 499, 'USD', 'r', '2020-02-01Z')
            """,
        ])
    }
}
