import Foundation
import Postgres
import Store

/// Policies, services and outages for tests of service levels, written the short way.
struct ServiceLevelFixture: Sendable {
    static let june = ServiceLevelPeriod(
        timeZone: "UTC", start: date("2026-06-01 00:00"), end: date("2026-07-01 00:00"))

    let pool: PostgresPool

    /// Adds the policies of the published agreements the cases come from.
    ///
    /// Sources: 1 AWS Compute SLA (2022-05); 2 CenturyLink HAN internet access (2020-09); 3 Internet
    /// T1 dedicated; 4 AWS Compute Optimizer SLA (2022-05).
    init(_ pool: PostgresPool) async throws {
        self.pool = pool
        _ = try await pool.query(
            """
            insert into sla_policies
                (id, name, target_ppm, basis, block_s, block_credit_days, round_s) values
                (1, '99.99 %', 999900, 'uptime', null, null, 1),
                (2, 'hours down', 999900, 'duration', null, null, 1),
                (3, 'blocks of four hours', 999900, 'block', 14400, 1, 900),
                (4, '99.9 %', 999000, 'uptime', null, null, 1)
            """)
        _ = try await pool.query(
            """
            insert into sla_bands (policy_id, lo, hi, credit_bp) values
                (1, 990000, 999900, 1000), (1, 950000, 990000, 3000), (1, 0, 950000, 10000),
                (2, 300, 3600, 500), (2, 3600, 10800, 1500), (2, 10800, 21600, 3500),
                (2, 21600, 9223372036854775807, 5000),
                (4, 990000, 999000, 1000), (4, 950000, 990000, 2500), (4, 0, 950000, 10000)
            """)
        _ = try await pool.query(
            """
            insert into customers (id, name, email, phone, portal_id)
            values (1, 'c', 'c@example.net', '+1', 'p')
            """)
        _ = try await pool.query("insert into sites (id, name) values (1, 'north')")
        _ = try await pool.query(
            """
            insert into plans (id, name, radius_group, down_bps, up_bps, mrc_minor)
            values (1, 'f', 'plan:f', 1000, 1000, 100)
            """)
    }

    /// Adds a service; its bucket is `id & 255`.
    func service(
        _ id: Int64, policy: Int64 = 4, charge: Int64 = 100_000,
        from: Date = date("2025-01-01 00:00"), until: Date? = nil
    ) async throws {
        _ = try await pool.query(
            """
            insert into services (id, customer_id, plan_id, site_id, radius_username,
                radius_password, mrc_minor, status, activated_at, terminated_at, sla_policy_id)
            values (\(id), 1, 1, 1, \("u\(id)"), 'pw', \(charge), 'active', \(from),
                    \(until.postgresValue), \(policy))
            """)
    }

    /// Adds an outage; one without a length is still going on.
    func outage(
        of service: Int64, at start: Date, seconds: Double?, recorded: Date? = nil
    ) async throws {
        let end = seconds.map { start.addingTimeInterval($0) }
        _ = try await pool.query(
            """
            insert into outages (service_id, during, recorded_at)
            values (\(service), tstzrange(\(start), \(end.postgresValue)), \(recorded ?? start))
            """)
    }

    /// Adds maintenance at the site of all services.
    func maintenance(at start: Date, seconds: Double, announced: Date) async throws {
        _ = try await pool.query(
            """
            insert into maintenance (site_id, during, notified_at)
            values (1, tstzrange(\(start), \(start.addingTimeInterval(seconds))), \(announced))
            """)
    }

    /// Sweeps, an hour after the month unless told otherwise.
    @discardableResult
    func sweep(
        _ period: ServiceLevelPeriod = june, _ buckets: ServiceLevelBuckets = .all,
        asOf: Date? = nil
    ) async throws -> ServiceLevelChanges {
        let asOf = asOf ?? period.end.addingTimeInterval(3600)
        let sweep = ServiceLevelSweep(period: period, buckets: buckets, asOf: asOf, now: asOf)
        return try await pool.transaction { try await sweep.run(in: $0) }
    }

    /// Closes, at the end of the grace unless told otherwise.
    @discardableResult
    func close(
        _ period: ServiceLevelPeriod = june, _ buckets: ServiceLevelBuckets = .all,
        asOf: Date? = nil
    ) async throws -> ServiceLevelChanges {
        let asOf = asOf ?? period.deadline
        let sweep = ServiceLevelSweep(
            period: period, buckets: buckets, asOf: asOf, now: asOf, isClosing: true)
        return try await pool.transaction { try await sweep.run(in: $0) }
    }

    /// Looks at the error budgets as of a moment.
    @discardableResult
    func burn(
        at moment: Date, _ buckets: ServiceLevelBuckets = .all
    ) async throws -> BurnChanges {
        let burn = ServiceLevelBurn(buckets: buckets, asOf: moment)
        return try await pool.transaction { try await burn.run(in: $0) }
    }

    /// Down seconds, uptime in ppm, credit in basis points, and revision; `nil` without a result.
    func result(_ service: Int64) async throws -> [Int64]? {
        try await pool.query(
            """
            select array[down_s, uptime_ppm, credit_bp, revision]::bigint[] as figures
            from sla_results where service_id = \(service)
            """
        ).first.map { try $0["figures"] }
    }

    /// The seconds down; `nil` without a result.
    func down(_ service: Int64) async throws -> Int64? { try await result(service)?.first }

    /// Every credit row of a service, in order.
    func credits(_ service: Int64) async throws -> [Int64] {
        try await pool.query(
            """
            select c.amount_minor from sla_credits c join sla_breaches b on b.id = c.breach_id
            where b.service_id = \(service) order by c.seq
            """
        ).map { try $0["amount_minor"] }
    }

    /// How many breaches a service has.
    func breaches(_ service: Int64) async throws -> Int {
        try await pool.query(
            "select count(*) as n from sla_breaches where service_id = \(service)")[0]["n"]
    }
}

/// A date in UTC, as `2026-06-10 00:00`; a bad one is a bug of the test and traps.
func date(_ text: String) -> Date {
    let style = Date.ISO8601FormatStyle(dateTimeSeparator: .space, timeZone: .gmt)
        .year().month().day().time(includingFractionalSeconds: false)
    do {
        return try style.parse(text.count == 16 ? text + ":00" : text)
    } catch {
        preconditionFailure("\(error)")
    }
}

extension ServiceLevelChanges {
    /// Results, breaches and credits.
    var figures: [Int] { [results, breaches, credits] }
}
