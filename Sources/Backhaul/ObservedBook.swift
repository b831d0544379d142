import Broker
import Foundation
import Health
import JobModel
import Mailbox
import ProcessControl
import Supervisor

/// A book of ticks that remembers when it was last used.
final class ObservedBook: TickBook {
    struct Seen {
        /// Whether a round trip has ever succeeded.
        var hasAnswered = false
        /// When the last one ended, well or not; the start until then.
        var lastRoundAt = SteadyTime.now
    }

    /// Without a round for this long the loop is stuck; rounds are a second apart, and a command has at
    /// most 10 s by default.
    static let roundAgeLimit = Duration.seconds(60)

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

// MARK: What a scheduler says of itself

extension ObservedBook {
    /// For systemd; without entries there is nothing to ask the book.
    func report(entries: Int) -> ProcessReport {
        let seen = seen
        var report = ProcessReport()
        report.phase = "running"
        report.isReady = entries == 0 || seen.hasAnswered
        report.isProgressing =
            entries == 0 || SteadyTime.now - seen.lastRoundAt < Self.roundAgeLimit
        report.status = "\(entries) entries, last round \(seen.hasAnswered ? "done" : "not yet")"
        return report
    }

    /// For probes.
    func checks(entries: @escaping @Sendable () -> Int) -> HealthChecks {
        let ready = { @Sendable in
            let seen = self.seen
            return [
                HealthCheck(
                    "schedule", ok: entries() == 0 || seen.hasAnswered,
                    why: seen.hasAnswered ? "a round is done" : "no round is done yet")
            ]
        }
        return HealthChecks(
            started: ready, ready: ready,
            live: {
                let age = SteadyTime.now - self.seen.lastRoundAt
                return [
                    HealthCheck("probes", ok: true, why: "this answer"),
                    HealthCheck(
                        "rounds", ok: entries() == 0 || age < Self.roundAgeLimit,
                        why: "the last one \(age.components.seconds) s ago"),
                ]
            })
    }
}
