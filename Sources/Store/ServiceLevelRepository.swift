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
}

/// What one sweep of one shard changed.
package struct ServiceLevelChanges: Sendable, Equatable {
    /// Results written for the first time or with other figures.
    package var results = 0
    /// Breaches seen for the first time.
    package var breaches = 0
    /// Credit rows added.
    package var credits = 0

    package init() {}

    package static func + (
        left: ServiceLevelChanges, right: ServiceLevelChanges
    ) -> ServiceLevelChanges {
        var sum = left
        sum.results += right.results
        sum.breaches += right.breaches
        sum.credits += right.credits
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
    /// Into how many parts the services are divided; the tables' `shard` columns say the same.
    package static let shards = 16

    /// How long after a month's end reports of outages still count for it.
    package static let grace: Duration = .seconds(48 * 3600)

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

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

    /// Breaches of a shard's month that no event tells of yet.
    package func breachesWithoutEvent(
        _ period: ServiceLevelPeriod, shard: Int, in transaction: PostgresTransaction
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
              and b.event_id is null and s.shard = \(shard) and p.tz = \(period.timeZone)
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

    /// Up to `limit` breaches of a shard's month whose event is not yet handed on, with the event.
    package func unannounced(
        _ period: ServiceLevelPeriod, shard: Int, limit: Int
    ) async throws -> [(breach: Int64, event: Int64)] {
        try await pool.query(
            """
            select b.id, b.event_id from sla_breaches b
            join services s on s.id = b.service_id
            join sla_policies p on p.id = b.policy_id
            where b.period_start = \(period.start) and b.announced_at is null
              and b.event_id is not null and s.shard = \(shard) and p.tz = \(period.timeZone)
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
