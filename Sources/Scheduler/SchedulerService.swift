package import Broker
package import Foundation
package import JobModel
package import Logging

/// Enqueues each tick of the schedule once, however many schedulers run.
///
/// There is no leader: every scheduler computes the same ticks (`Beat` is a pure function of time and
/// of what was recorded), and the book lets exactly one of them record each. Rounds of one service
/// never overlap; cancelling the task that runs it is the way to stop it, and a round that is cut off
/// is harmless, because enqueuing and recording are one step.
package struct SchedulerService: Sendable {
    /// A decision and what became of it.
    package struct RecordedTick: Sendable, Equatable {
        package let tick: Tick
        /// Why it was passed over, when that was asked for.
        package let pass: TickPass?
        /// How many ticks before it were given up.
        package let missed: Int
        package let outcome: TickOutcome
    }

    /// What one round did.
    package struct RoundReport: Sendable {
        /// Ticks this scheduler recorded, in order; those another one recorded first are not listed.
        package var recorded: [RecordedTick] = []
        /// Entries on whose tick another scheduler was first.
        package var superseded: [String] = []
        /// Entries whose tick the broker would not take, to be tried again.
        package var refused: [String: BrokerError] = [:]
        /// When to look again; nil when nothing is ever due.
        package var nextDue: Date?
        /// See `Beat.Round.ahead`.
        package var ahead: [String] = []

        /// The ticks whose message is on its queue.
        package var enqueued: [Tick] {
            recorded.filter { $0.outcome == .enqueued }.map(\.tick)
        }
    }

    private let source: any ScheduleSource
    private let book: any TickBook
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
    ///   - book: where ticks are recorded, shared by all schedulers.
    ///   - options: limits and waits.
    ///   - time: the wall clock that decides what is due.
    ///   - clock: what sleeps between rounds.
    ///   - logger: gets one info per tick, and outages.
    ///   - makeID: the id of each tick's message; ids need not agree between schedulers, because
    ///     the book decides by entry and due time.
    ///   - siblings: loops that live and die with the scheduler, such as promoting delayed jobs.
    package init(
        source: any ScheduleSource, book: any TickBook, options: SchedulerOptions = .init(),
        time: any TimeSource = SystemTime(), clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger, makeID: @escaping @Sendable () -> JobID = Self.randomID,
        siblings: [@Sendable () async throws -> Void] = []
    ) {
        self.source = source
        self.book = book
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

    /// One round: asks the book what was recorded, carries out what is due.
    ///
    /// - Throws: `BrokerError` when Redis cannot be reached; ticks not recorded stay due.
    package func runOnce() async throws(BrokerError) -> RoundReport {
        let entries = source.entries
        let now = time.now
        let beat = Beat(entries: entries, clockTolerance: options.clockTolerance)
        let newest = try await newestTicks(of: entries.map(\.name), at: now)
        let round = beat.round(at: now, newestTicks: newest)
        var report = RoundReport(nextDue: round.nextDue, ahead: round.ahead)
        if entries.contains(where: { $0.overlap == .queueOne }) {
            try await book.releaseWaiting(at: now)
        }
        // Each decision is made on the one before: when one fails, the rest of its entry is void.
        var void: Set<String> = []
        for decision in round.decisions where !void.contains(decision.tick.entry.name) {
            do {
                if try await !carryOut(decision, &report) {
                    void.insert(decision.tick.entry.name)
                }
            } catch  where error.code == .unavailable || error.code == .timeout {
                throw error
            } catch {
                // The fault of this message, perhaps: the other entries go on.
                report.refused[decision.tick.entry.name] = error
                void.insert(decision.tick.entry.name)
            }
        }
        return report
    }

    /// Records one decision; false when another scheduler was first.
    private func carryOut(
        _ decision: Beat.Decision, _ report: inout RoundReport
    ) async throws(BrokerError) -> Bool {
        let (tick, entry, now) = (decision.tick, decision.tick.entry, time.now)
        let message = tick.message(id: makeID(), at: now)
        let pass: TickPass? = if case .pass(let reason) = decision.action { reason } else { nil }
        let action =
            pass.map(TickRecord.Action.pass)
            ?? .enqueue(message, overlap: entry.overlap, staleAfter: entry.overlapStaleAfter)
        let record = TickRecord(
            entry: entry.name, dueAt: tick.dueAt, previous: tick.previous,
            missed: decision.missed, action: action)
        let outcome = try await book.record(record, at: now)
        guard outcome != .superseded else {
            report.superseded.append(entry.name)
            return false
        }
        let recorded = RecordedTick(
            tick: tick, pass: pass, missed: decision.missed, outcome: outcome)
        report.recorded.append(recorded)
        log(recorded, as: message)
        return true
    }

    /// The newest ticks of all entries; those that are new begin `now`.
    private func newestTicks(
        of names: [String], at now: Date
    ) async throws(BrokerError) -> [String: Date] {
        guard !names.isEmpty else { return [:] }
        let known = try await book.newestTicks(of: names)
        let new = names.filter { known[$0] == nil }
        guard !new.isEmpty else { return known }
        try await book.begin(
            Dictionary(new.map { ($0, now) }, uniquingKeysWith: { first, _ in first }))
        // Another scheduler may have begun them a moment earlier: its time counts.
        return try await book.newestTicks(of: names)
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

    private func log(_ recorded: RecordedTick, as message: OutgoingMessage) {
        let (tick, entry) = (recorded.tick, recorded.tick.entry)
        var metadata: Logger.Metadata = [
            LogKey.scheduleName: "\(entry.name)",
            LogKey.tickDueAt: "\(tick.dueAt.formatted(.iso8601))", LogKey.jobName: "\(entry.job)",
        ]
        if recorded.missed > 0 { metadata[LogKey.tickMissed] = "\(recorded.missed)" }
        switch recorded.outcome {
        case .enqueued, .waiting:
            metadata[LogKey.jobID] = "\(message.id)"
            metadata[LogKey.queueName] = "\(entry.queue)"
            let text: Logger.Message =
                recorded.outcome == .waiting
                ? "tick waits for the entry's last job" : "tick enqueued"
            logger.info(text, metadata: metadata)
        case .overlapped, .passed:
            metadata[LogKey.reason] = "\(recorded.pass?.rawValue ?? "overlap")"
            logger.info("tick passed over", metadata: metadata)
        case .superseded:
            break
        }
    }
}
