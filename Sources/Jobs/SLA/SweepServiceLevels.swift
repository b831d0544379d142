import Foundation
package import JobModel
package import Postgres
import Store

/// Measures the service levels of a month and records breaches and credits.
///
/// Without a shard it counts the services and sends itself once for each shard and month, with the
/// moment to measure up to. Each shard of a month is one transaction; any number of sweeps, in any
/// order and at once, leaves one breach, one event and the right credit. See the README of this
/// folder.
package struct SweepServiceLevels: Job {
    /// Which part of which month to look at, as of when.
    package struct Payload: Codable, Sendable {
        /// A month such as `2026-11`; `current`, the month of `at` in each policy's zone;
        /// `provisional`, the month before it while reports for it still count; none is both.
        package let period: String?
        /// One of `shards`, from 0; none is all of them, each by a job of its own.
        package let shard: Int?
        /// The moment to measure up to, ISO 8601; none is the tick's due time, or else now.
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

    package static let name: JobName = "sla.sweep"

    package static let policy = JobPolicy(
        queue: "sla",
        retry: RetryPolicy(
            maximumRetries: 10, backoff: .exponential(base: .seconds(5), cap: .seconds(300))),
        timeLimit: .seconds(1800))

    private let levels: ServiceLevelRepository
    private let plan: ShardPlan
    private let sweeper: ShardSweep

    package init(
        pool: PostgresPool, publisher: EventPublisher, plan: ShardPlan = ShardPlan(),
        checkpoints: Checkpoints = .none
    ) {
        self.plan = plan
        levels = ServiceLevelRepository(pool: pool)
        sweeper = ShardSweep(
            pool: pool, levels: levels, publisher: publisher, checkpoints: checkpoints)
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let asOf = try AsOf(payload.at, in: context)
        let periods = try await ServiceLevelMonths(levels: levels)
            .periods(payload.period, at: asOf.date)
        guard let shard = payload.shard else {
            return try await fanOut(ServiceLevelMonths.names(periods), asOf, context)
        }
        let buckets = try ShardPlan.buckets(shard, of: payload.shards)
        var changes = ServiceLevelChanges()
        for period in periods {
            let sweep = ServiceLevelSweep(
                period: period, buckets: buckets, asOf: asOf.date, now: context.time.now)
            changes = try await changes + sweeper.run(sweep)
        }
        return try .done(
            SweepResult(
                periods: periods.count, results: changes.results, breaches: changes.breaches,
                credits: changes.credits))
    }

    private func fanOut(
        _ months: [String], _ asOf: AsOf, _ context: JobContext
    ) async throws -> Verdict {
        let services = try await levels.coveredServices()
        let fanOut = ShardFanOut(
            job: Self.name, asOf: asOf, shards: plan.shards(of: services), context: context)
        var jobs = 0
        for month in months { jobs += try fanOut.send(month) }
        return try .done(FanOutResult(at: asOf.text, services: services, jobs: jobs))
    }
}

/// What a job returns that only sent others.
struct FanOutResult: Encodable {
    let at: String
    let services: Int
    let jobs: Int
}

/// What the job returns: how much changed.
private struct SweepResult: Encodable {
    let periods: Int
    let results: Int
    let breaches: Int
    let credits: Int
}
