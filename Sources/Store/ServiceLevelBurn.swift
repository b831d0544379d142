package import Foundation
package import Postgres

/// A rule for spending too fast: both a long window and a twelfth of it must burn.
///
/// Burning at rate 1 spends the error budget of a month in a month. The long window says that it
/// matters, the short one that it goes on. Source: The Site Reliability Workbook, chapter 5.
package struct BurnRule: Sendable, Hashable {
    /// The long window's name, under which episodes are kept.
    package let name: String
    /// Seconds.
    package let long: Int
    /// Seconds.
    package let short: Int
    /// The burn rate that must be exceeded, in tenths.
    package let rateTenths: Int

    /// 14.4 for an hour, 6 for six hours and 1 for three days: 2, 5 and 10 % of thirty days' budget.
    package static let all = [
        BurnRule(name: "1h", long: 3600, short: 300, rateTenths: 144),
        BurnRule(name: "6h", long: 21_600, short: 1800, rateTenths: 60),
        BurnRule(name: "3d", long: 259_200, short: 21_600, rateTenths: 10),
    ]

    /// The furthest that any rule looks back, seconds.
    static let longest = 259_200
}

/// What one look at the budgets of some services changed.
package struct BurnChanges: Sendable, Equatable {
    /// Episodes that began.
    package var opened = 0
    /// Episodes that ended.
    package var closed = 0

    package init(opened: Int = 0, closed: Int = 0) {
        self.opened = opened
        self.closed = closed
    }
}

/// Opens and closes the episodes in which services spend their error budget too fast.
///
/// A rule burns iff `down × 10⁶ > rate × window × (10⁶ − target)` for both its windows, in exact
/// integers; downtime is what the month's arithmetic says it is, without announced maintenance, up
/// to `asOf`. A target below 93 % cannot burn at 14.4. An episode opens when its rule burns and
/// closes when it no longer does; there is at most one open episode of a rule for a service and
/// policy. Looking twice as of one moment, or as of an earlier one, opens and closes nothing that a
/// later look has decided.
package struct ServiceLevelBurn: Sendable {
    package let buckets: ServiceLevelBuckets
    /// The moment looked back from, with the outages known when it runs.
    package let asOf: Date

    package init(buckets: ServiceLevelBuckets, asOf: Date) {
        self.buckets = buckets
        self.asOf = asOf
    }

    /// Looks, and writes what has changed.
    package func run(in transaction: PostgresTransaction) async throws -> BurnChanges {
        try await buckets.lock("sla.burn_alert", in: transaction)
        _ = try await transaction.query("select set_config('jit', 'off', true)")
        let since = asOf.addingTimeInterval(-TimeInterval(BurnRule.longest))
        let rules = BurnRule.all
        let row = try await transaction.query(
            """
            with recent as materialized (
                select s.id, s.site_id, s.sla_policy_id, s.activated_at, s.terminated_at,
                    range_agg(o.during * tstzrange(s.activated_at, s.terminated_at)
                        * tstzrange(\(since), \(asOf))) as ranges
                from outages o join services s on s.id = o.service_id
                where (o.service_id & 255) = any(\(buckets.numbers))
                  and coalesce(upper(o.during), 'infinity'::timestamptz) > \(since)
                  and lower(o.during) < \(asOf)
                  and s.sla_policy_id is not null and s.activated_at < \(asOf)
                  and (s.terminated_at is null or s.terminated_at > \(since))
                group by s.id
            ), excused as materialized (
                select site_id, range_agg(during) as windows from maintenance
                where during && tstzrange(\(since), \(asOf))
                  and notified_at <= lower(during) - interval '24 hours'
                group by site_id
            ), down as materialized (
                select r.id as service_id, p.id as policy_id, p.target_ppm,
                    r.ranges - coalesce(e.windows, '{}') as ranges,
                    extract(epoch from upper(m.life) - lower(m.life)) as month_s
                from recent r
                join sla_policies p on p.id = r.sla_policy_id
                left join excused e on e.site_id = r.site_id and p.exclude_maintenance
                cross join lateral (
                    select date_trunc('month', \(asOf)::timestamptz at time zone p.tz) as first
                ) f
                cross join lateral (
                    select tstzrange(f.first at time zone p.tz,
                            (f.first + interval '1 month') at time zone p.tz)
                        * tstzrange(r.activated_at, r.terminated_at) as life
                ) m
            ), burning as materialized (
                select d.service_id, d.policy_id, w.name, long.down_s,
                    long.down_s * 1000000000000
                        / nullif(d.month_s * (1000000 - d.target_ppm), 0) as budget_ppm
                from down d
                cross join unnest(\(rules.map(\.name))::text[], \(rules.map(\.long)),
                    \(rules.map(\.short)), \(rules.map(\.rateTenths)))
                    w (name, long_s, short_s, tenths)
                cross join lateral (
                    select coalesce(sum(extract(epoch from upper(x) - lower(x))), 0) as down_s
                    from unnest(d.ranges * tstzmultirange(tstzrange(
                        \(asOf)::timestamptz - make_interval(secs => w.long_s), \(asOf)))) x
                ) long
                cross join lateral (
                    select coalesce(sum(extract(epoch from upper(x) - lower(x))), 0) as down_s
                    from unnest(d.ranges * tstzmultirange(tstzrange(
                        \(asOf)::timestamptz - make_interval(secs => w.short_s), \(asOf)))) x
                ) short
                where long.down_s * 10000000 > w.tenths * w.long_s * (1000000 - d.target_ppm)
                  and short.down_s * 10000000 > w.tenths * w.short_s * (1000000 - d.target_ppm)
            ), opened as (
                insert into sla_burn_alerts
                    (service_id, policy_id, alert, opened_at, down_s, budget_ppm)
                select b.service_id, b.policy_id, b.name, \(asOf), round(b.down_s)::bigint,
                    round(b.budget_ppm)::bigint
                from burning b
                where not exists (
                    select from sla_burn_alerts a
                    where a.service_id = b.service_id and a.policy_id = b.policy_id
                      and a.alert = b.name
                      and coalesce(a.closed_at, 'infinity'::timestamptz) >= \(asOf))
                on conflict do nothing
                returning 1
            ), closed as (
                update sla_burn_alerts a set closed_at = \(asOf)
                where a.closed_at is null and a.opened_at < \(asOf)
                  and (a.service_id & 255) = any(\(buckets.numbers))
                  and not exists (
                    select from burning b where b.service_id = a.service_id
                      and b.policy_id = a.policy_id and b.name = a.alert)
                returning 1
            )
            select (select count(*) from opened) as opened, (select count(*) from closed) as closed
            """)[0]
        return BurnChanges(opened: try row["opened"], closed: try row["closed"])
    }
}
