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

    /// Without a round for this long its loop is stuck; rounds are a second apart, and a command
    /// has at most 10 s by default.
    static let roundAgeLimit = Duration.seconds(60)

    let entries: @Sendable () -> Int
    let book: ObservedBook
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
        let (book, entries) = (book, entries)
        let pulse = Pulse(
            of: Pulse.Subject(report: { Self.report(book, entries: entries()) }),
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

    private static func report(_ book: ObservedBook, entries: Int) -> ProcessReport {
        let seen = book.seen
        var report = ProcessReport()
        report.phase = "running"
        report.isReady = entries == 0 || seen.hasAnswered
        report.isProgressing =
            entries == 0 || SteadyTime.now - seen.lastRoundAt < roundAgeLimit
        report.status = "\(entries) entries, last round \(seen.hasAnswered ? "done" : "not yet")"
        return report
    }
}

/// A book of ticks that remembers when it was last used.
final class ObservedBook: TickBook {
    struct Seen {
        /// Whether a round trip has ever succeeded.
        var hasAnswered = false
        /// When the last one ended, well or not; the start until then.
        var lastRoundAt = SteadyTime.now
    }

    private let book: any TickBook
    private let state = Locked(Seen())

    init(_ book: any TickBook) { self.book = book }

    var seen: Seen { state.withLock { $0 } }

    func newestTicks(of entries: [String]) async throws(BrokerError) -> [String: Date] {
        defer { state.withLock { $0.lastRoundAt = SteadyTime.now } }
        let ticks = try await book.newestTicks(of: entries)
        state.withLock { $0.hasAnswered = true }
        return ticks
    }

    func begin(_ entries: [String: Date]) async throws(BrokerError) {
        try await book.begin(entries)
    }

    func record(_ tick: TickRecord, at now: Date) async throws(BrokerError) -> TickOutcome {
        try await book.record(tick, at: now)
    }

    func trigger(
        _ message: OutgoingMessage, of entry: String, at now: Date
    ) async throws(BrokerError) {
        try await book.trigger(message, of: entry, at: now)
    }

    func releaseWaiting(at now: Date) async throws(BrokerError) -> Int {
        try await book.releaseWaiting(at: now)
    }

    func forget(_ entries: [String]) async throws(BrokerError) {
        try await book.forget(entries)
    }
}
