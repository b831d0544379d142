package import Foundation
package import Postgres

/// The arithmetic of service levels, for some buckets of one month, inside one transaction.
///
/// All of it is set-based SQL on integers. A target is parts per million, and a month is breached
/// iff `down × 10⁶ > total × (10⁶ − target)`. Downtime is the union of the outages, without
/// maintenance announced 24 hours ahead, inside the month and the life of the service, up to
/// `asOf`. Credits come from the exact fraction, rounded once, half up, and never exceed the
/// policy's cap. Any number of sweeps, as of any moments and in any order, leaves one breach per
/// service, policy and month, the figures as of the latest moment, and credits that sum to what is
/// owed; after the grace nothing moves.
package struct ServiceLevelSweep: Sendable {
    package let period: ServiceLevelPeriod
    package let buckets: ServiceLevelBuckets
    /// The moment measured up to, with the outages known when it runs.
    package let asOf: Date
    /// When breaches are detected and credits given.
    package let now: Date
    /// Whether the month ends with it: all results become final, and no sweep changes it again.
    package let isClosing: Bool

    /// Plans a sweep; only a month whose grace has ended can be closed.
    package init(
        period: ServiceLevelPeriod, buckets: ServiceLevelBuckets, asOf: Date, now: Date,
        isClosing: Bool = false
    ) {
        precondition(!isClosing || asOf >= period.deadline, "a month is closed after its grace")
        self.period = period
        self.buckets = buckets
        self.asOf = asOf
        self.now = now
        self.isClosing = isClosing
    }

    /// Measures, judges and credits.
    package func run(in transaction: PostgresTransaction) async throws -> ServiceLevelChanges {
        try await prepare(in: transaction)
        try await measure(in: transaction)
        // Without statistics the planner takes a table for tiny and loops over it.
        _ = try await transaction.query("analyze sla_timed")
        try await judge(in: transaction)
        _ = try await transaction.query("analyze sla_judged")
        var changes = ServiceLevelChanges()
        changes.results = try await writeResults(in: transaction)
        changes.breaches = try await writeBreaches(in: transaction)
        changes.credits = try await writeCredits(in: transaction)
        if isClosing { changes.finals = try await close(in: transaction) }
        return changes
    }

    /// Two sweeps of one bucket take turns; the second finds nothing to add.
    private func prepare(in transaction: PostgresTransaction) async throws {
        let start = Int64(period.start.timeIntervalSince1970)
        try await buckets.lock("sla.sweep:\(period.timeZone):\(start)", in: transaction)
        _ = try await transaction.query("select set_config('jit', 'off', true)")
        _ = try await transaction.query(
            """
            create temporary table sla_timed (
                service_id bigint not null, policy_id bigint not null, total_s bigint not null,
                down_s bigint not null, mrc_minor bigint not null, currency char(3) not null
            ) on commit drop
            """)
        _ = try await transaction.query(
            """
            create temporary table sla_judged (
                service_id bigint not null, policy_id bigint not null, total_s bigint not null,
                down_s bigint not null, uptime_ppm integer not null, credit_bp integer not null,
                owed_minor bigint not null, currency char(3) not null, breached boolean not null
            ) on commit drop
            """)
    }

    /// Fills `sla_timed` with the seconds of each service that had an outage in the month.
    ///
    /// Also with those that have a result already, whose outage may have been withdrawn. Final
    /// results and closed buckets are left out.
    ///
    /// The steps are materialized because an inlined expression would be computed at each use.
    private func measure(in transaction: PostgresTransaction) async throws {
        _ = try await transaction.query(
            """
            insert into sla_timed
            with covered as materialized (
                select s.id, s.site_id, s.mrc_minor, s.currency, s.sla_policy_id,
                    tstzrange(s.activated_at, s.terminated_at)
                        * tstzrange(\(period.start), \(period.end)) as life
                from services s join sla_policies p on p.id = s.sla_policy_id
                where (s.id & 255) = any(\(buckets.numbers)) and s.sla_policy_id is not null
                  and p.tz = \(period.timeZone) and s.activated_at < \(period.end)
                  and (s.terminated_at is null or s.terminated_at > \(period.start))
                  and not coalesce((
                        select c.buckets from sla_closings c
                        where c.tz = \(period.timeZone) and c.period_start = \(period.start)
                    ), '{}') @> (s.id & 255)::integer
            ), excused as materialized (
                select site_id, range_agg(during) as windows from maintenance
                where during && tstzrange(\(period.start), \(period.end))
                  and notified_at <= lower(during) - interval '24 hours'
                group by site_id
            ), down as materialized (
                select c.id,
                    range_agg(o.during * c.life * tstzrange(null, \(asOf))) as ranges
                from covered c join outages o on o.service_id = c.id
                where (o.service_id & 255) = any(\(buckets.numbers))
                  and coalesce(upper(o.during), 'infinity'::timestamptz) > \(period.start)
                  and o.during && tstzrange(\(period.start), \(period.end))
                  and o.recorded_at <= \(period.deadline)
                group by c.id
            )
            select c.id, p.id, life.total_s,
                least(life.total_s, (round(exact.down_s / p.round_s) * p.round_s)::bigint),
                c.mrc_minor, c.currency
            from covered c
            join sla_policies p on p.id = c.sla_policy_id
            left join down d on d.id = c.id
            left join sla_results r on r.service_id = c.id
                and r.policy_id = p.id and r.period_start = \(period.start)
            left join excused e on e.site_id = c.site_id and p.exclude_maintenance
            cross join lateral (
                select round(extract(epoch from upper(c.life) - lower(c.life)))::bigint
                    as total_s
            ) life
            cross join lateral (
                select coalesce(sum(extract(epoch from upper(x) - lower(x))), 0) as down_s
                from unnest(coalesce(d.ranges, '{}') - coalesce(e.windows, '{}')) x
            ) exact
            where (d.id is not null or r.service_id is not null)
              and not coalesce(r.final, false) and life.total_s > 0
            """)
    }

    /// Fills `sla_judged`: the credit as a share of a whole, in integers to the end.
    private func judge(in transaction: PostgresTransaction) async throws {
        _ = try await transaction.query(
            """
            insert into sla_judged
            with shared as materialized (
                select t.*, p.basis, p.cap_bp,
                    t.down_s * 1000000 > t.total_s * (1000000 - p.target_ppm) as missed,
                    case p.basis
                        when 'block' then p.block_credit_days * ceil(greatest(0, t.down_s
                            - ceil(t.total_s * (1000000 - p.target_ppm)::numeric / 1000000)
                            ) / p.block_s)::bigint
                        when 'uptime' then (
                            select max(b.credit_bp) from sla_bands b where b.policy_id = p.id
                              and (t.total_s - t.down_s) * 1000000 >= b.lo * t.total_s
                              and (t.total_s - t.down_s) * 1000000
                                  < least(b.hi, 1000001) * t.total_s)
                        else (
                            select max(b.credit_bp) from sla_bands b where b.policy_id = p.id
                              and t.down_s >= b.lo and t.down_s < b.hi)
                    end as share,
                    case p.basis when 'block' then 30 else 10000 end as whole
                from sla_timed t join sla_policies p on p.id = t.policy_id
            ), priced as materialized (
                select s.*,
                    case when basis <> 'duration' and not missed then 0
                         else least(coalesce(share, 0), whole) end as due
                from shared s
            )
            select service_id, policy_id, total_s, down_s,
                ((total_s - down_s) * 1000000 / total_s)::integer,
                (due * 10000 / whole)::integer,
                least((2 * mrc_minor * due + whole) / (2 * whole),
                      mrc_minor * cap_bp / 10000),
                currency,
                case basis when 'duration' then due > 0 else missed end
            from priced
            """)
    }

    private func writeResults(in transaction: PostgresTransaction) async throws -> Int {
        // The closing says so afterwards, of all results at once.
        let isFinal = !isClosing && asOf >= period.deadline
        return try await transaction.query(
            """
            insert into sla_results as r
                (service_id, policy_id, period_start, period_end, total_s, down_s, uptime_ppm,
                 credit_bp, owed_minor, breached, final, computed_at)
            select service_id, policy_id, \(period.start), \(period.end), total_s, down_s,
                uptime_ppm, credit_bp, owed_minor, breached, \(isFinal), \(asOf)
            from sla_judged
            on conflict (service_id, policy_id, period_start) do update set
                total_s = excluded.total_s, down_s = excluded.down_s,
                uptime_ppm = excluded.uptime_ppm, credit_bp = excluded.credit_bp,
                owed_minor = excluded.owed_minor, breached = excluded.breached,
                final = excluded.final, computed_at = excluded.computed_at,
                revision = r.revision + ((r.total_s, r.down_s, r.owed_minor, r.breached)
                    is distinct from (excluded.total_s, excluded.down_s, excluded.owed_minor,
                                      excluded.breached))::integer
            where (r.total_s, r.down_s, r.owed_minor, r.breached, r.final)
                is distinct from (excluded.total_s, excluded.down_s, excluded.owed_minor,
                                  excluded.breached, excluded.final)
              and r.computed_at <= excluded.computed_at
            """
        ).affected
    }

    private func writeBreaches(in transaction: PostgresTransaction) async throws -> Int {
        try await transaction.query(
            """
            insert into sla_breaches (service_id, policy_id, period_start, detected_at)
            select service_id, policy_id, \(period.start), \(now)
            from sla_judged where breached
            on conflict (service_id, policy_id, period_start) do nothing
            """
        ).affected
    }

    /// Adds what is owed beyond what was given; nothing is ever taken back.
    private func writeCredits(in transaction: PostgresTransaction) async throws -> Int {
        try await transaction.query(
            """
            insert into sla_credits
                (breach_id, seq, amount_minor, currency, reason, credited_at)
            select b.id, coalesce(g.rows, 0) + 1, m.owed_minor - coalesce(g.given, 0),
                m.currency, 'down ' || m.down_s || ' s of ' || m.total_s, \(now)
            from sla_judged m
            join sla_breaches b on b.service_id = m.service_id
                and b.policy_id = m.policy_id and b.period_start = \(period.start)
            left join lateral (
                select count(*)::integer as rows, sum(c.amount_minor)::bigint as given
                from sla_credits c where c.breach_id = b.id
            ) g on true
            where m.owed_minor > coalesce(g.given, 0)
            """
        ).affected
    }

    /// Makes every result of the buckets final, also of policies that a service no longer has, and
    /// notes that they are closed; returns the number of results.
    private func close(in transaction: PostgresTransaction) async throws -> Int {
        let finals = try await transaction.query(
            """
            update sla_results r set final = true from sla_policies p
            where p.id = r.policy_id and p.tz = \(period.timeZone)
              and r.period_start = \(period.start) and r.period_end = \(period.end)
              and not r.final and (r.service_id & 255) = any(\(buckets.numbers))
            """
        ).affected
        _ = try await transaction.query(
            """
            with given as (
                select int4multirange(int4range(\(Int32(buckets.range.lowerBound)),
                                                \(Int32(buckets.range.upperBound)))) as buckets
            )
            insert into sla_closings as c (tz, period_start, period_end, buckets, closed_at)
            select \(period.timeZone), \(period.start), \(period.end), g.buckets,
                case when g.buckets @> int4range(0, 256) then \(now)::timestamptz end
            from given g
            on conflict (tz, period_start) do update set
                buckets = c.buckets + excluded.buckets,
                closed_at = case when c.buckets + excluded.buckets @> int4range(0, 256)
                    then coalesce(c.closed_at, \(now)::timestamptz) end
            """)
        return finals
    }
}
