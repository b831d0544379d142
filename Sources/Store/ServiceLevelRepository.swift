package import Foundation
package import Postgres

/// One calendar month in one zone: what all policies of that zone are judged over.
package struct ServiceLevelPeriod: Sendable, Hashable {
    /// The zone of the policies, by its IANA name.
    package let timeZone: String
    /// The first moment of the month there.
    package let start: Date
    /// The first moment of the next month there.
    package let end: Date

    package init(timeZone: String, start: Date, end: Date) {
        self.timeZone = timeZone
        self.start = start
        self.end = end
    }

    /// Reports recorded after this moment do not count, and from it on the month may be closed.
    package var deadline: Date {
        end.addingTimeInterval(TimeInterval(ServiceLevelRepository.grace.components.seconds))
    }

    /// Its name, such as `2026-11`.
    ///
    /// No zone is far enough from UTC to make the middle of a month another month there.
    package var month: String {
        start.addingTimeInterval(15 * 86_400)
            .formatted(Date.ISO8601FormatStyle().year().month())
    }
}

/// What one sweep of one shard changed.
package struct ServiceLevelChanges: Sendable, Equatable {
    /// Results written for the first time or with other figures.
    package var results = 0
    /// Breaches seen for the first time.
    package var breaches = 0
    /// Credit rows added.
    package var credits = 0
    /// Results that became final with the closing of their month.
    package var finals = 0

    package init() {}

    package static func + (
        left: ServiceLevelChanges, right: ServiceLevelChanges
    ) -> ServiceLevelChanges {
        var sum = left
        sum.results += right.results
        sum.breaches += right.breaches
        sum.credits += right.credits
        sum.finals += right.finals
        return sum
    }
}

/// A breach as its event tells it.
package struct ServiceLevelBreach: Sendable, Equatable {
    package let id: Int64
    package let serviceID: Int64
    package let customerID: Int64
    package let policyID: Int64
    package let periodStart: Date
    package let totalSeconds: Int64
    package let downSeconds: Int64
    package let uptimePPM: Int32
}

/// Months to be judged, and breaches to be told of; the arithmetic is in `ServiceLevelSweep`.
package struct ServiceLevelRepository: Sendable {
    /// How long after a month's end reports of outages still count for it.
    package static let grace: Duration = .seconds(48 * 3600)

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// How many services have a policy.
    package func coveredServices() async throws -> Int {
        try await pool.query(
            "select count(*) as n from services where sla_policy_id is not null")[0]["n"]
    }

    /// The month of that first day, in each zone that a policy has.
    package func periods(ofMonth firstDay: String) async throws -> [ServiceLevelPeriod] {
        try await pool.query(
            """
            select tz, day::timestamp at time zone tz as starts,
                (day::timestamp + interval '1 month') at time zone tz as ends
            from (select distinct tz from sla_policies) z, (select \(firstDay)::date as day) d
            order by tz
            """
        ).map(Self.period)
    }

    /// The month that `now` is in, in each zone that a policy has, and the month before it while
    /// its grace lasts.
    package func currentPeriods(at now: Date) async throws -> [ServiceLevelPeriod] {
        let graceStart = now.addingTimeInterval(-TimeInterval(Self.grace.components.seconds))
        return try await pool.query(
            """
            select distinct tz, month at time zone tz as starts,
                (month + interval '1 month') at time zone tz as ends
            from (select distinct tz from sla_policies) z,
                lateral (values (date_trunc('month', \(now)::timestamptz at time zone tz)),
                                (date_trunc('month', \(graceStart)::timestamptz at time zone tz))
                ) m (month)
            order by tz, starts
            """
        ).map(Self.period)
    }

    /// Up to `limit` months whose grace has ended by `moment` and that are not closed: those with
    /// provisional results, and the newest one in each zone, which may have none.
    ///
    /// Older months without results stay as they are: closing them would judge, and credit, a past
    /// that nobody measured.
    package func closablePeriods(
        at moment: Date, limit: Int
    ) async throws -> [ServiceLevelPeriod] {
        let graceStart = moment.addingTimeInterval(-TimeInterval(Self.grace.components.seconds))
        return try await pool.query(
            """
            with months as (
                select distinct p.tz, date_trunc('month', r.period_start at time zone p.tz) as month
                from sla_results r join sla_policies p on p.id = r.policy_id
                where not r.final and r.period_end <= \(graceStart)
                union
                select distinct tz, date_trunc('month', \(graceStart)::timestamptz at time zone tz)
                    - interval '1 month'
                from sla_policies
            )
            select m.tz, m.month at time zone m.tz as starts,
                (m.month + interval '1 month') at time zone m.tz as ends
            from months m
            where not exists (
                select from sla_closings c where c.tz = m.tz
                  and c.period_start = m.month at time zone m.tz and c.closed_at is not null)
            order by starts, tz limit \(limit)
            """
        ).map(Self.period)
    }

    /// Breaches of a month that no event tells of yet, in those buckets.
    package func breachesWithoutEvent(
        _ period: ServiceLevelPeriod, _ buckets: ServiceLevelBuckets,
        in transaction: PostgresTransaction
    ) async throws -> [ServiceLevelBreach] {
        try await transaction.query(
            """
            select b.id, b.service_id, s.customer_id, b.policy_id, b.period_start, r.total_s,
                r.down_s, r.uptime_ppm
            from sla_breaches b
            join services s on s.id = b.service_id
            join sla_policies p on p.id = b.policy_id
            join sla_results r on r.service_id = b.service_id and r.policy_id = b.policy_id
                and r.period_start = b.period_start
            where b.period_start = \(period.start) and b.announced_at is null
              and b.event_id is null and (s.id & 255) = any(\(buckets.numbers))
              and p.tz = \(period.timeZone)
            order by b.id
            """
        ).map(Self.breach)
    }

    /// Notes which event tells of which breach; both lists are in the same order.
    package func noteEvents(
        _ events: [Int64], ofBreaches breaches: [Int64], in transaction: PostgresTransaction
    ) async throws {
        precondition(events.count == breaches.count, "one event for each breach")
        _ = try await transaction.query(
            """
            update sla_breaches b set event_id = n.event
            from unnest(\(breaches), \(events)) n (breach, event) where b.id = n.breach
            """)
    }

    /// Up to `limit` breaches of a month in those buckets whose event is not yet handed on, with it.
    package func unannounced(
        _ period: ServiceLevelPeriod, _ buckets: ServiceLevelBuckets, limit: Int
    ) async throws -> [(breach: Int64, event: Int64)] {
        try await pool.query(
            """
            select b.id, b.event_id from sla_breaches b
            join services s on s.id = b.service_id
            join sla_policies p on p.id = b.policy_id
            where b.period_start = \(period.start) and b.announced_at is null
              and b.event_id is not null and (s.id & 255) = any(\(buckets.numbers))
              and p.tz = \(period.timeZone)
            order by b.id limit \(limit)
            """
        ).map { (try $0["id"], try $0["event_id"]) }
    }

    /// Notes that the events of those breaches were handed on.
    package func noteAnnounced(_ breaches: [Int64], at now: Date) async throws {
        _ = try await pool.query(
            """
            update sla_breaches set announced_at = \(now)
            where id = any(\(breaches)) and announced_at is null
            """)
    }

    private static func breach(_ row: PostgresRow) throws -> ServiceLevelBreach {
        ServiceLevelBreach(
            id: try row["id"], serviceID: try row["service_id"],
            customerID: try row["customer_id"], policyID: try row["policy_id"],
            periodStart: try row["period_start"], totalSeconds: try row["total_s"],
            downSeconds: try row["down_s"], uptimePPM: try row["uptime_ppm"])
    }

    private static func period(_ row: PostgresRow) throws -> ServiceLevelPeriod {
        ServiceLevelPeriod(
            timeZone: try row["tz"], start: try row["starts"], end: try row["ends"])
    }
}
