import Foundation
package import JobModel
package import Postgres
import Store

/// Closes months whose grace has ended: measures them once more and makes every result final.
///
/// Without a shard it finds the months and sends itself once for each shard of each. A shard of a
/// month is one transaction, which also notes that its buckets are closed; no sweep changes them
/// after that, and a repeat finds nothing to do.
package struct CloseServiceLevels: Job {
    /// Which part of which month to close, as of when.
    package struct Payload: Codable, Sendable {
        /// A month such as `2026-11`; none is every month that can be closed.
        package let period: String?
        /// One of `shards`, from 0; none is all of them, each by a job of its own.
        package let shard: Int?
        /// The moment by which the grace must have ended, ISO 8601; none is the tick's, or now.
        package let at: String?
        /// How many shards there are: 1 to 256.
        package let shards: Int?

        /// Names the part.
        package init(
            period: String? = nil, shard: Int? = nil, at: String? = nil, shards: Int? = nil
        ) {
            self.period = period
            self.shard = shard
            self.at = at
            self.shards = shards
        }
    }

    package static let name: JobName = "sla.close"
    package static let policy = SweepServiceLevels.policy

    /// The most months closed by one run, zones counted apart; the next one goes on.
    static let maximumPeriods = 100
    /// Ended burn alerts are kept this long, seconds: a year, and the months that are still argued.
    static let alertsKept: TimeInterval = 400 * 86_400
    /// The most of them forgotten by one run.
    static let batch = 10_000

    private let levels: ServiceLevelRepository
    private let alerts: ServiceLevelAlertRepository
    private let plan: ShardPlan
    private let sweeper: ShardSweep

    package init(
        pool: PostgresPool, publisher: EventPublisher, plan: ShardPlan = ShardPlan(),
        checkpoints: Checkpoints = .none
    ) {
        self.plan = plan
        levels = ServiceLevelRepository(pool: pool)
        alerts = ServiceLevelAlertRepository(pool: pool)
        sweeper = ShardSweep(
            pool: pool, levels: levels, publisher: publisher, checkpoints: checkpoints)
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let asOf = try AsOf(payload.at, in: context)
        let periods = try await periods(payload.period, at: asOf.date)
        guard let shard = payload.shard else {
            return try await fanOut(ServiceLevelMonths.names(periods), asOf, context)
        }
        let buckets = try ShardPlan.buckets(shard, of: payload.shards)
        var changes = ServiceLevelChanges()
        for period in periods {
            let sweep = ServiceLevelSweep(
                period: period, buckets: buckets, asOf: asOf.date, now: context.time.now,
                isClosing: true)
            changes = try await changes + sweeper.run(sweep)
        }
        return try .done(
            CloseResult(
                periods: periods.count, results: changes.results, breaches: changes.breaches,
                credits: changes.credits, finals: changes.finals))
    }

    /// The months that can be closed; of one that is named, its zones.
    private func periods(_ name: String?, at moment: Date) async throws -> [ServiceLevelPeriod] {
        guard let name else {
            return try await levels.closablePeriods(at: moment, limit: Self.maximumPeriods)
        }
        guard name != "current", name != "provisional" else {
            throw PermanentFailure("period must be a month such as 2026-11")
        }
        let periods = try await ServiceLevelMonths(levels: levels).periods(name, at: moment)
            .filter { $0.deadline <= moment }
        guard !periods.isEmpty else {
            throw PermanentFailure(
                "period \(name) cannot be closed: reports for it count until "
                    + "\(Int(ServiceLevelRepository.grace.components.seconds) / 3600) h after its "
                    + "end")
        }
        return periods
    }

    private func fanOut(
        _ months: [String], _ asOf: AsOf, _ context: JobContext
    ) async throws -> Verdict {
        let services = try await levels.coveredServices()
        // Results outlive contracts: without any service left there is still something to close.
        let fanOut = ShardFanOut(
            job: Self.name, asOf: asOf, shards: max(1, plan.shards(of: services)),
            context: context)
        var jobs = 0
        for month in months { jobs += try fanOut.send(month) }
        _ = try await alerts.forget(
            closedBefore: asOf.date.addingTimeInterval(-Self.alertsKept), limit: Self.batch)
        return try .done(FanOutResult(at: asOf.text, services: services, jobs: jobs))
    }
}

/// What the job returns: how much changed, and how many results became final.
private struct CloseResult: Encodable {
    let periods: Int
    let results: Int
    let breaches: Int
    let credits: Int
    let finals: Int
}
