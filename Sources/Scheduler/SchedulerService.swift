package import Broker
package import Foundation
package import JobModel
package import Logging

/// Enqueues each tick of the schedule once, however many schedulers run.
///
/// There is no leader: every scheduler computes the same ticks (`Schedule` is a pure function of
/// time), and the ledger lets exactly one of them enqueue each. Rounds of one service never
/// overlap; cancelling the task that runs it is the way to stop it, and a round that is cut off is
/// harmless, because enqueuing and recording are one step.
package struct SchedulerService: Sendable {
    /// What one round did.
    package struct RoundReport: Sendable {
        /// Ticks this scheduler enqueued; those another one enqueued first are not listed.
        package var enqueued: [Tick] = []
        /// Entries whose tick the broker would not take, to be tried again.
        package var refused: [String: BrokerError] = [:]
        /// When to look again; nil when nothing is ever due.
        package var nextDue: Date?
        /// See `Beat.Round.ahead`.
        package var ahead: [String] = []
    }

    private let source: any ScheduleSource
    private let ledger: any TickLedger
    private let options: SchedulerOptions
    private let time: any TimeSource
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let makeID: @Sendable () -> JobID
    private let siblings: [@Sendable () async throws -> Void]

    /// Makes a service; nothing runs until `run()`.
    ///
    /// - Parameters:
    ///   - source: the schedule, asked before each round.
    ///   - ledger: where ticks are recorded, shared by all schedulers.
    ///   - options: limits and waits.
    ///   - time: the wall clock that decides what is due.
    ///   - clock: what sleeps between rounds.
    ///   - logger: gets one info per tick, and outages.
    ///   - makeID: the id of each tick's message; ids need not agree between schedulers, because
    ///     the ledger decides by entry and due time.
    ///   - siblings: loops that live and die with the scheduler, such as promoting delayed jobs.
    package init(
        source: any ScheduleSource, ledger: any TickLedger, options: SchedulerOptions = .init(),
        time: any TimeSource = SystemTime(), clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger, makeID: @escaping @Sendable () -> JobID = Self.randomID,
        siblings: [@Sendable () async throws -> Void] = []
    ) {
        self.source = source
        self.ledger = ledger
        self.options = options
        self.time = time
        self.clock = clock
        self.logger = logger
        self.makeID = makeID
        self.siblings = siblings
    }

    /// A fresh UUID, written as Celery writes its own.
    @Sendable
    package static func randomID() -> JobID { JobID(UUID().uuidString.lowercased()) }

    /// Runs until the task is cancelled.
    ///
    /// - Throws: what a sibling throws; the rest is stopped then. Redis failing is not an error
    ///   here: it is waited out.
    @concurrent
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await loop() }
            for sibling in siblings { group.addTask { try await sibling() } }
            for try await _ in group {}
        }
    }

    /// One round: asks the ledger what was done, enqueues what is due.
    ///
    /// - Throws: `BrokerError` when Redis cannot be reached; ticks not enqueued stay due.
    package func runOnce() async throws(BrokerError) -> RoundReport {
        let now = time.now
        let beat = Beat(
            entries: source.entries.filter { !$0.isPaused }, grace: options.misfireGrace)
        let names = beat.entries.map(\.name)
        let round = beat.round(at: now, lastTicks: try await lastTicks(of: names, at: now))
        var report = RoundReport(nextDue: round.nextDue, ahead: round.ahead)
        for tick in round.due {
            let message = tick.message(id: makeID(), at: now)
            do {
                guard
                    try await ledger.enqueue(message, asTick: tick.dueAt, of: tick.entry.name)
                else { continue }
            } catch  where error.code == .unavailable || error.code == .timeout {
                throw error
            } catch {
                // The fault of this message, perhaps: the other entries go on.
                report.refused[tick.entry.name] = error
                continue
            }
            report.enqueued.append(tick)
            log(tick, as: message, at: now)
        }
        return report
    }

    /// The last ticks of all entries, with those that are new registered as of `now`.
    private func lastTicks(
        of names: [String], at now: Date
    ) async throws(BrokerError) -> [String: Date] {
        guard !names.isEmpty else { return [:] }
        let known = try await ledger.lastTicks(of: names)
        let new = names.filter { known[$0] == nil }
        guard !new.isEmpty else { return known }
        try await ledger.register(new, at: now)
        // Another scheduler may have registered them a moment earlier: its time counts.
        return try await ledger.lastTicks(of: names)
    }

    private func loop() async {
        var log = OutageLog(logger: logger)
        var random = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let pause: Duration
            do {
                let report = try await runOnce()
                log.succeeded(at: time.now)
                log.note(refusals: report.refused)
                log.note(ahead: report.ahead)
                pause = sleep(after: report)
            } catch {
                if Task.isCancelled { return }
                log.failed(error, at: time.now)
                pause = options.backoff.delay(beforeRetry: log.failures, using: &random)
            }
            do { try await clock.sleep(for: max(pause, options.shortestSleep)) } catch { return }
        }
    }

    private func sleep(after report: RoundReport) -> Duration {
        guard let nextDue = report.nextDue else { return options.longestSleep }
        let wait = Duration.seconds(nextDue.timeIntervalSince(time.now))
        return min(wait, options.longestSleep)
    }

    private func log(_ tick: Tick, as message: OutgoingMessage, at now: Date) {
        logger.info(
            "tick enqueued",
            metadata: [
                LogKey.scheduleName: "\(tick.entry.name)",
                LogKey.tickDueAt: "\(tick.dueAt.formatted(.iso8601))",
                LogKey.jobName: "\(tick.entry.job)", LogKey.jobID: "\(message.id)",
                LogKey.queueName: "\(tick.entry.queue)",
            ])
    }
}
