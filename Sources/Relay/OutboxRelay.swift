package import Broker
import Foundation
package import JobModel
package import Logging
package import Postgres
import Store
import Telemetry

/// Moves what was committed to the outbox to its queues, without end.
///
/// Any number may run, in any processes: rows are claimed with SKIP LOCKED, those with an ordering
/// key by one relay at a time. It keeps nothing in a session, listens to nothing, and so works through
/// pgbouncer's transaction mode. A server that is away is waited for.
package struct OutboxRelay: Sendable {
    private let round: RelayRound
    private let pool: PostgresPool
    private let options: RelayOptions
    private let metrics: RelayMetrics
    private let time: any TimeSource
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// Makes a relay; nothing runs until ``run()``.
    ///
    /// - Parameters:
    ///   - pool: the database with the outbox; reports no outages, because the relay does.
    ///   - broker: where the queues are.
    ///   - encoder: knows where jobs go that name no queue.
    ///   - options: batches and pace.
    ///   - metrics: what is counted.
    ///   - time: for the length of outages.
    ///   - clock: what sleeps, and measures the age of claims.
    ///   - logger: gets outages, and one warning per parked row.
    package init(
        pool: PostgresPool, broker: RedisBroker, encoder: RowEncoder,
        options: RelayOptions = RelayOptions(), metrics: RelayMetrics,
        time: any TimeSource = SystemTime(), clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger
    ) {
        self.init(
            round: RelayRound(
                pool: pool, broker: broker, encoder: encoder, options: options, metrics: metrics,
                clock: clock),
            pool: pool, options: options, metrics: metrics, time: time, clock: clock,
            logger: logger)
    }

    init(
        round: RelayRound, pool: PostgresPool, options: RelayOptions, metrics: RelayMetrics,
        time: any TimeSource = SystemTime(), clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger
    ) {
        self.round = round
        self.pool = pool
        self.options = options
        self.metrics = metrics
        self.time = time
        self.clock = clock
        self.logger = logger
    }

    /// Runs until the task is cancelled; never fails.
    @concurrent
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await loop() }
            group.addTask { await watch() }
        }
    }

    private func loop() async {
        var outage = RelayOutage(logger: logger)
        var random = SystemRandomNumberGenerator()
        var idleFor = options.busyFor
        while !Task.isCancelled {
            metrics.loop.beat()
            var pause: Duration
            do {
                let moved = try await moveAll()
                outage.succeeded(at: time.now)
                idleFor = moved > 0 ? .zero : idleFor
                pause = idleFor < options.busyFor ? options.busyPoll : options.idlePoll
                idleFor += pause
            } catch {
                if Task.isCancelled { return }
                outage.failed(RelayError(error), at: time.now)
                pause = options.backoff.delay(beforeRetry: outage.failures - 1, using: &random)
                pause = max(pause, options.busyPoll)
            }
            do { try await clock.sleep(for: pause) } catch { return }
        }
    }

    /// Moves batch after batch, several at once while there is more than one; returns how many rows.
    private func moveAll() async throws -> Int {
        let first = try await moveOne()
        guard first.isFull else { return first.claimed }
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<options.lanes {
                group.addTask {
                    var moved = 0
                    var isFull = true
                    while isFull, !Task.isCancelled {
                        let report = try await moveOne()
                        moved += report.claimed
                        isFull = report.isFull
                    }
                    return moved
                }
            }
            var moved = first.claimed
            for try await count in group { moved += count }
            return moved
        }
    }

    private func moveOne() async throws -> RelayRound.Report {
        let report = try await round.run()
        metrics.loop.beat()
        for parked in report.parked {
            logger.warning(
                "a row of the outbox was set aside",
                metadata: [
                    LogKey.jobID: "\(parked.id)", LogKey.jobName: "\(parked.name)",
                    LogKey.reason: "\(parked.reason)",
                    LogKey.advice: "`backhaul outbox show` shows it",
                ])
        }
        return report
    }

    /// Counts what waits; what it cannot count is not shown.
    private func watch() async {
        while !Task.isCancelled {
            metrics.note(try? await OutboxRepository().status(in: pool))
            do { try await clock.sleep(for: options.watch) } catch { return }
        }
    }
}
