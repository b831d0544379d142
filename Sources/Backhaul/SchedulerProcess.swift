import Broker
import Foundation
import JobModel
import Logging
import Mailbox
import ProcessControl
import Supervisor

/// One scheduler process: its rounds, its signals and its pulse.
struct SchedulerProcess {
    /// What the process does once everything is closed.
    enum End {
        case over
        case again
    }

    /// Without a round for this long its loop is stuck; rounds are at most 10 s apart, and a command
    /// has at most 10 s by default.
    static let roundAgeLimit = Duration.seconds(60)

    let entries: @Sendable () -> Int
    let ledger: ObservedLedger
    let notice: ProgressNotice
    let checkSettings: @Sendable () -> String?
    let logger: Logger

    /// Runs until a signal asks for the end, or the service fails.
    func run(_ service: @escaping @Sendable () async throws -> Void) async throws -> End {
        let (asked, ask) = AsyncStream.makeStream(
            of: End.self, bufferingPolicy: .bufferingOldest(1))
        let reader = SignalReader(ServiceSignals.all) { received in
            handle(received.signal) { ask.yield($0) }
        }
        let (ledger, entries) = (ledger, entries)
        let pulse = Pulse(
            of: Pulse.Subject(report: { Self.report(ledger, entries: entries()) }),
            lifeline: Lifeline(), isSupervised: false, notice: notice, recycling: RecyclingRule(),
            grace: .zero, logger: logger)
        defer {
            pulse.stop()
            reader.close()
        }
        return try await withThrowingTaskGroup(of: End?.self) { group in
            group.addTask {
                try await service()
                return .over
            }
            group.addTask {
                for await end in asked { return end }
                return nil
            }
            let end = try await group.next() ?? nil
            group.cancelAll()
            return end ?? .over
        }
    }

    private func handle(_ signal: ProcessSignal, _ ask: (End) -> Void) {
        switch signal {
        case .hup:
            if let problem = checkSettings() {
                logger.error(
                    "the settings cannot be used; going on with the old ones",
                    metadata: [LogKey.errorMessage: "\(problem)"])
                return
            }
            logger.notice("told to start anew", metadata: [LogKey.signal: "\(signal)"])
            notice.reloading()
            ask(.again)
        case .term, .int, .quit:
            logger.notice("told to stop", metadata: [LogKey.signal: "\(signal)"])
            notice.stopping()
            ask(.over)
        default: logger.notice("signal ignored", metadata: [LogKey.signal: "\(signal)"])
        }
    }

    private static func report(_ ledger: ObservedLedger, entries: Int) -> ProcessReport {
        let seen = ledger.seen
        var report = ProcessReport()
        report.phase = "running"
        report.isReady = entries == 0 || seen.hasAnswered
        report.isProgressing =
            entries == 0 || SteadyTime.now - seen.lastRoundAt < roundAgeLimit
        report.status = "\(entries) entries, last round \(seen.hasAnswered ? "done" : "not yet")"
        return report
    }
}

/// A ledger of ticks that remembers when it was last used.
final class ObservedLedger: TickLedger {
    struct Seen {
        /// Whether a round trip has ever succeeded.
        var hasAnswered = false
        /// When the last one ended, well or not; the start until then.
        var lastRoundAt = SteadyTime.now
    }

    private let ledger: any TickLedger
    private let state = Locked(Seen())

    init(_ ledger: any TickLedger) { self.ledger = ledger }

    var seen: Seen { state.withLock { $0 } }

    func lastTicks(of entries: [String]) async throws(BrokerError) -> [String: Date] {
        defer { state.withLock { $0.lastRoundAt = SteadyTime.now } }
        let ticks = try await ledger.lastTicks(of: entries)
        state.withLock { $0.hasAnswered = true }
        return ticks
    }

    func register(_ entries: [String], at now: Date) async throws(BrokerError) {
        try await ledger.register(entries, at: now)
    }

    func enqueue(
        _ message: OutgoingMessage, asTick dueAt: Date, of entry: String
    ) async throws(BrokerError) -> Bool {
        try await ledger.enqueue(message, asTick: dueAt, of: entry)
    }
}
