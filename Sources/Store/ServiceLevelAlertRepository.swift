package import Foundation
package import Postgres

/// An episode of burning, as its event tells it.
package struct ServiceLevelAlert: Sendable, Equatable {
    package let id: Int64
    package let serviceID: Int64
    package let customerID: Int64
    package let policyID: Int64
    /// The rule's name, such as `1h`.
    package let rule: String
    package let openedAt: Date
    /// Seconds down in the long window when it opened.
    package let downSeconds: Int64
    /// What share of the month's error budget they are; `nil` where the target leaves none.
    package let budgetPPM: Int64?
}

/// Episodes to be told of, and old ones to be forgotten; what opens them is `ServiceLevelBurn`.
package struct ServiceLevelAlertRepository: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Episodes in those buckets that no event tells of yet.
    package func withoutEvent(
        _ buckets: ServiceLevelBuckets, in transaction: PostgresTransaction
    ) async throws -> [ServiceLevelAlert] {
        try await transaction.query(
            """
            select a.id, a.service_id, s.customer_id, a.policy_id, a.alert, a.opened_at, a.down_s,
                a.budget_ppm
            from sla_burn_alerts a join services s on s.id = a.service_id
            where a.announced_at is null and a.event_id is null
              and (a.service_id & 255) = any(\(buckets.numbers))
            order by a.id
            """
        ).map { row in
            ServiceLevelAlert(
                id: try row["id"], serviceID: try row["service_id"],
                customerID: try row["customer_id"], policyID: try row["policy_id"],
                rule: try row["alert"], openedAt: try row["opened_at"],
                downSeconds: try row["down_s"], budgetPPM: try row["budget_ppm"])
        }
    }

    /// Notes which event tells of which episode; both lists are in the same order.
    package func noteEvents(
        _ events: [Int64], ofAlerts alerts: [Int64], in transaction: PostgresTransaction
    ) async throws {
        precondition(events.count == alerts.count, "one event for each episode")
        _ = try await transaction.query(
            """
            update sla_burn_alerts a set event_id = n.event
            from unnest(\(alerts), \(events)) n (alert, event) where a.id = n.alert
            """)
    }

    /// Up to `limit` episodes in those buckets whose event is not yet handed on, with the event.
    package func unannounced(
        _ buckets: ServiceLevelBuckets, limit: Int
    ) async throws -> [(alert: Int64, event: Int64)] {
        try await pool.query(
            """
            select id, event_id from sla_burn_alerts
            where announced_at is null and event_id is not null
              and (service_id & 255) = any(\(buckets.numbers))
            order by id limit \(limit)
            """
        ).map { (try $0["id"], try $0["event_id"]) }
    }

    /// Notes that the events of those episodes were handed on.
    package func noteAnnounced(_ alerts: [Int64], at now: Date) async throws {
        _ = try await pool.query(
            """
            update sla_burn_alerts set announced_at = \(now)
            where id = any(\(alerts)) and announced_at is null
            """)
    }

    /// Forgets up to `limit` episodes that ended before `moment`; returns their number.
    package func forget(closedBefore moment: Date, limit: Int) async throws -> Int {
        try await pool.query(
            """
            delete from sla_burn_alerts where id in (
                select id from sla_burn_alerts where closed_at < \(moment)
                  and announced_at is not null
                order by closed_at limit \(limit) for update skip locked)
            """
        ).affected
    }
}
