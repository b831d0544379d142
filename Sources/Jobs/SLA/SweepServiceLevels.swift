import Foundation
package import JobModel
package import Postgres
import Store

/// Measures the service levels of a month and records breaches and credits.
///
/// Each shard is one transaction; any number of sweeps, in any order and at once, leaves one breach,
/// one event and the right credit. See the README of this folder.
package struct SweepServiceLevels: Job {
    /// Which part of which month to look at.
    package struct Payload: Codable, Sendable {
        /// A month such as `2026-11`; none, or `current`, is the month of now in each policy's
        /// zone, and the month before it while reports for it still count.
        package let period: String?
        /// 0 to 15; none is all of them.
        package let shard: Int?

        /// Names the part.
        package init(period: String? = nil, shard: Int? = nil) {
            self.period = period
            self.shard = shard
        }
    }

    package static let name: JobName = "sla.sweep"

    package static let policy = JobPolicy(
        queue: "sla",
        retry: RetryPolicy(
            maximumRetries: 10, backoff: .exponential(base: .seconds(5), cap: .seconds(300))),
        timeLimit: .seconds(1800))

    /// Events recorded in one statement, and handed on in one call.
    private static let batch = 1000

    private let pool: PostgresPool
    private let levels: ServiceLevelRepository
    private let publisher: EventPublisher
    private let checkpoints: Checkpoints

    package init(
        pool: PostgresPool, publisher: EventPublisher, checkpoints: Checkpoints = .none
    ) {
        self.pool = pool
        self.publisher = publisher
        self.checkpoints = checkpoints
        levels = ServiceLevelRepository(pool: pool)
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let shards = try shards(of: payload)
        let periods = try await periods(of: payload, at: context.time.now)
        var changes = ServiceLevelChanges()
        for period in periods {
            for shard in shards {
                changes = try await changes + sweep(period, shard, at: context.time.now)
            }
        }
        return try .done(
            SweepResult(
                periods: periods.count, shards: shards.count, results: changes.results,
                breaches: changes.breaches, credits: changes.credits))
    }

    private func shards(of payload: Payload) throws -> Range<Int> {
        let all = 0..<ServiceLevelRepository.shards
        guard let shard = payload.shard else { return all }
        guard all.contains(shard) else {
            throw PermanentFailure("shard must be in 0…\(all.upperBound - 1)")
        }
        return shard..<(shard + 1)
    }

    private func periods(of payload: Payload, at now: Date) async throws -> [ServiceLevelPeriod] {
        switch payload.period {
        case nil, "current":
            return try await levels.currentPeriods(at: now)
        case .some(let text):
            guard text.wholeMatch(of: /[0-9]{4}-(0[1-9]|1[0-2])/) != nil, text >= "1970" else {
                throw PermanentFailure("period must be a month such as 2026-11, or current")
            }
            return try await levels.periods(ofMonth: text + "-01")
        }
    }

    /// One transaction of arithmetic and events, then the announcement of what is not announced.
    private func sweep(
        _ period: ServiceLevelPeriod, _ shard: Int, at now: Date
    ) async throws -> ServiceLevelChanges {
        let changes = try await pool.transaction { transaction in
            let changes = try await ServiceLevelSweep(period: period, shard: shard, now: now)
                .run(in: transaction)
            try await recordEvents(period, shard, at: now, in: transaction)
            try checkpoints.pass("recorded")
            return changes
        }
        try checkpoints.pass("committed")
        try await announce(period, shard, at: now)
        return changes
    }

    private func recordEvents(
        _ period: ServiceLevelPeriod, _ shard: Int, at now: Date,
        in transaction: PostgresTransaction
    ) async throws {
        let breaches = try await levels.breachesWithoutEvent(
            period, shard: shard, in: transaction)
        var rest = breaches[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Self.batch)
            rest = rest.dropFirst(Self.batch)
            let events = try await publisher.record(
                batch.map { breach in
                    DomainEvent(
                        type: "sla.breached", key: "sla.breached:\(breach.id)",
                        data: BreachReport(breach, in: period))
                }, at: now, in: transaction)
            try await levels.noteEvents(
                events, ofBreaches: batch.map(\.id), in: transaction)
        }
    }

    /// Hands on the events of breaches, and notes it; a kill in between hands them on twice.
    private func announce(
        _ period: ServiceLevelPeriod, _ shard: Int, at now: Date
    ) async throws {
        while true {
            let pending = try await levels.unannounced(
                period, shard: shard, limit: Self.batch)
            try await publisher.fanOut(pending.map(\.event))
            try checkpoints.pass("announced")
            try await levels.noteAnnounced(pending.map(\.breach), at: now)
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

/// What the job returns: how much changed.
private struct SweepResult: Encodable {
    let periods: Int
    let shards: Int
    let results: Int
    let breaches: Int
    let credits: Int
}
