import Foundation
package import JobModel
package import Postgres
import Store

/// Tells of services that spend the error budget of their month too fast, once for each episode.
///
/// Without a shard it looks at all services itself, or sends itself once for each shard when they are
/// more than one. A shard is one transaction: episodes are opened and closed under a unique key, and
/// the event is recorded with the row that it tells of; what a kill leaves unannounced is announced
/// by the next run.
package struct AlertOnBurn: Job {
    /// Which part of the services to look at, as of when.
    package struct Payload: Codable, Sendable {
        /// One of `shards`, from 0; none is all of them.
        package let shard: Int?
        /// The moment to look back from, ISO 8601; none is the tick's due time, or else now.
        package let at: String?
        /// How many shards there are: 1 to 256.
        package let shards: Int?

        /// Names the part.
        package init(shard: Int? = nil, at: String? = nil, shards: Int? = nil) {
            self.shard = shard
            self.at = at
            self.shards = shards
        }
    }

    package static let name: JobName = "sla.burn_alert"

    /// The next minute looks again, so few retries are worth it.
    package static let policy = JobPolicy(
        queue: "sla",
        retry: RetryPolicy(
            maximumRetries: 3, backoff: .exponential(base: .seconds(2), cap: .seconds(10))),
        timeLimit: .seconds(120))

    private let pool: PostgresPool
    private let levels: ServiceLevelRepository
    private let alerts: ServiceLevelAlertRepository
    private let publisher: EventPublisher
    private let plan: ShardPlan
    private let checkpoints: Checkpoints

    package init(
        pool: PostgresPool, publisher: EventPublisher, plan: ShardPlan = ShardPlan(),
        checkpoints: Checkpoints = .none
    ) {
        self.pool = pool
        self.publisher = publisher
        self.plan = plan
        self.checkpoints = checkpoints
        levels = ServiceLevelRepository(pool: pool)
        alerts = ServiceLevelAlertRepository(pool: pool)
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let asOf = try AsOf(payload.at, in: context)
        if let shard = payload.shard {
            let buckets = try ShardPlan.buckets(shard, of: payload.shards)
            return try await look(at: buckets, asOf, now: context.time.now)
        }
        let services = try await levels.coveredServices()
        let shards = plan.shards(of: services)
        guard shards > 1 else { return try await look(at: .all, asOf, now: context.time.now) }
        let fanOut = ShardFanOut(job: Self.name, asOf: asOf, shards: shards, context: context)
        return try .done(FanOutResult(at: asOf.text, services: services, jobs: fanOut.send()))
    }

    private func look(
        at buckets: ServiceLevelBuckets, _ asOf: AsOf, now: Date
    ) async throws -> Verdict {
        let changes = try await pool.transaction { transaction in
            let changes = try await ServiceLevelBurn(buckets: buckets, asOf: asOf.date)
                .run(in: transaction)
            try await recordEvents(buckets, at: now, in: transaction)
            try checkpoints.pass("recorded")
            return changes
        }
        try checkpoints.pass("committed")
        try await announce(buckets, at: now)
        return try .done(["opened": changes.opened, "closed": changes.closed])
    }

    private func recordEvents(
        _ buckets: ServiceLevelBuckets, at now: Date, in transaction: PostgresTransaction
    ) async throws {
        var rest = try await alerts.withoutEvent(buckets, in: transaction)[...]
        while !rest.isEmpty {
            let batch = rest.prefix(ShardSweep.batch)
            rest = rest.dropFirst(ShardSweep.batch)
            let events = try await publisher.record(
                batch.map { alert in
                    DomainEvent(
                        type: "sla.burn_alert", key: "sla.burn_alert:\(alert.id)",
                        data: BurnReport(alert))
                }, at: now, in: transaction)
            try await alerts.noteEvents(events, ofAlerts: batch.map(\.id), in: transaction)
        }
    }

    /// Hands on the events of episodes, and notes it; a kill in between hands them on twice.
    private func announce(_ buckets: ServiceLevelBuckets, at now: Date) async throws {
        while true {
            let pending = try await alerts.unannounced(buckets, limit: ShardSweep.batch)
            try await publisher.fanOut(pending.map(\.event))
            try checkpoints.pass("announced")
            try await alerts.noteAnnounced(pending.map(\.alert), at: now)
            guard pending.count == ShardSweep.batch else { return }
        }
    }
}

/// The data of `sla.burn_alert`.
private struct BurnReport: Encodable {
    let alertID: Int64
    let serviceID: Int64
    let customerID: Int64
    let policyID: Int64
    let window: String
    let openedAt: String
    let downSeconds: Int64
    let budgetPPM: Int64?

    private enum CodingKeys: String, CodingKey {
        case alertID = "alert_id"
        case serviceID = "service_id"
        case customerID = "customer_id"
        case policyID = "policy_id"
        case window
        case openedAt = "opened_at"
        case downSeconds = "down_s"
        case budgetPPM = "budget_ppm"
    }

    init(_ alert: ServiceLevelAlert) {
        alertID = alert.id
        serviceID = alert.serviceID
        customerID = alert.customerID
        policyID = alert.policyID
        window = alert.rule
        openedAt = alert.openedAt.formatted(.iso8601)
        downSeconds = alert.downSeconds
        budgetPPM = alert.budgetPPM
    }
}
