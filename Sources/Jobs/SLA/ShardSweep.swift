import Foundation
import JobModel
import Postgres
import Store

/// Sweeps some buckets of one month, and tells of the breaches found there.
struct ShardSweep: Sendable {
    /// Events recorded in one statement, and handed on in one call.
    static let batch = 1000

    let pool: PostgresPool
    let levels: ServiceLevelRepository
    let publisher: EventPublisher
    let checkpoints: Checkpoints

    /// One transaction of arithmetic and events, then the announcement of what is not announced.
    func run(_ sweep: ServiceLevelSweep) async throws -> ServiceLevelChanges {
        let changes = try await pool.transaction { transaction in
            let changes = try await sweep.run(in: transaction)
            try await recordEvents(sweep, in: transaction)
            try checkpoints.pass("recorded")
            return changes
        }
        try checkpoints.pass("committed")
        try await announce(sweep)
        return changes
    }

    private func recordEvents(
        _ sweep: ServiceLevelSweep, in transaction: PostgresTransaction
    ) async throws {
        let breaches = try await levels.breachesWithoutEvent(
            sweep.period, sweep.buckets, in: transaction)
        var rest = breaches[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Self.batch)
            rest = rest.dropFirst(Self.batch)
            let events = try await publisher.record(
                batch.map { breach in
                    DomainEvent(
                        type: "sla.breached", key: "sla.breached:\(breach.id)",
                        data: BreachReport(breach, in: sweep.period))
                }, at: sweep.now, in: transaction)
            try await levels.noteEvents(events, ofBreaches: batch.map(\.id), in: transaction)
        }
    }

    /// Hands on the events of breaches, and notes it; a kill in between hands them on twice.
    private func announce(_ sweep: ServiceLevelSweep) async throws {
        while true {
            let pending = try await levels.unannounced(
                sweep.period, sweep.buckets, limit: Self.batch)
            try await publisher.fanOut(pending.map(\.event))
            try checkpoints.pass("announced")
            try await levels.noteAnnounced(pending.map(\.breach), at: sweep.now)
            guard pending.count == Self.batch else { return }
        }
    }
}

/// The data of `sla.breached`.
private struct BreachReport: Encodable {
    let breachID: Int64
    let serviceID: Int64
    let customerID: Int64
    let policyID: Int64
    let periodStart: String
    let timeZone: String
    let totalSeconds: Int64
    let downSeconds: Int64
    let uptimePPM: Int32

    private enum CodingKeys: String, CodingKey {
        case breachID = "breach_id"
        case serviceID = "service_id"
        case customerID = "customer_id"
        case policyID = "policy_id"
        case periodStart = "period_start"
        case timeZone = "tz"
        case totalSeconds = "total_s"
        case downSeconds = "down_s"
        case uptimePPM = "uptime_ppm"
    }

    init(_ breach: ServiceLevelBreach, in period: ServiceLevelPeriod) {
        breachID = breach.id
        serviceID = breach.serviceID
        customerID = breach.customerID
        policyID = breach.policyID
        periodStart = breach.periodStart.formatted(.iso8601)
        timeZone = period.timeZone
        totalSeconds = breach.totalSeconds
        downSeconds = breach.downSeconds
        uptimePPM = breach.uptimePPM
    }
}
