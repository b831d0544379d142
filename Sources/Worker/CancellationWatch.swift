import Broker
import Foundation
import JobModel
import Mailbox

/// Which jobs are to end or not to begin, as this worker knows by asking Redis every second and by
/// what it was told.
///
/// The wish is a record in Redis, so that it holds for a job that has yet to come, and through
/// restarts; what runs here and is to end is cancelled when the wish is first seen. A plain
/// revocation leaves what runs alone.
final class CancellationWatch: Sendable {
    /// The most ids remembered here; beyond, all are read again.
    private static let maximumRemembered = 200_000

    private struct State {
        /// Also when they run.
        var ended: Set<JobID> = []
        var revoked: Set<JobID> = []
        var stamps = RevokedStamps()
        var since: Date?

        var count: Int { ended.count + revoked.count + stamps.count }
    }

    private let state = Locked(State())
    private let broker: any Broker
    private let runs: ActiveRuns
    private let interval: Duration
    /// Opened once the first answer is there: before, nothing may run that was cancelled.
    private let loaded = Gate()

    init(broker: any Broker, runs: ActiveRuns, interval: Duration) {
        self.broker = broker
        self.runs = runs
        self.interval = interval
    }

    /// Whether this job is not to begin.
    func contains(_ message: JobMessage) -> Bool {
        let (isNamed, stamps) = state.withLock { state in
            let isNamed =
                !state.ended.isEmpty && state.ended.contains(message.id)
                || !state.revoked.isEmpty && state.revoked.contains(message.id)
            return (isNamed, state.stamps.count > 0 ? state.stamps : nil)
        }
        // Most workers never hear of stamps, and most messages have none.
        return isNamed || stamps?.match(message) == true
    }

    /// Whether this job is to end although it runs.
    func isToEnd(_ id: JobID) -> Bool {
        state.withLock { !$0.ended.isEmpty && $0.ended.contains(id) }
    }

    /// The ids that are not to begin, at most `limit`.
    func revokedIDs(limit: Int) -> [JobID] {
        state.withLock { Array($0.revoked.union($0.ended).prefix(limit)) }
    }

    /// Remembers what this worker was told, before anybody can read it in Redis.
    func add(revoked ids: [JobID], terminating: Bool) {
        state.withLock { state in
            if state.count > Self.maximumRemembered { state = State() }
            state.revoked.formUnion(ids)
            if terminating { state.ended.formUnion(ids) }
        }
    }

    /// Remembers stamps that this worker was told of.
    func add(_ stamps: [RevokedStamp]) { state.withLock { $0.stamps.add(stamps) } }

    /// Returns once the wishes of the past are known, or the worker stops.
    func loadedOnce() async { await loaded.pass() }

    /// Lets those who wait for the first answer go on without it.
    func stop() { loaded.unlock() }

    /// One round; returns how long to sleep before the next.
    func runOnce() async throws(BrokerError) -> Duration {
        let since = state.withLock { state in
            if state.count > Self.maximumRemembered { state = State() }
            return state.since
        }
        let wishes = try await broker.revocations(since: since)
        let new = state.withLock { state in
            let new = Set(wishes.ended).subtracting(state.ended)
            state.ended.formUnion(new)
            state.revoked.formUnion(wishes.revoked)
            state.stamps.add(wishes.stamps)
            state.since = wishes.next
            return new
        }
        runs.cancel(new)
        loaded.unlock()
        return interval
    }
}

extension JSONValue {
    /// The values of a stamp, one or a list of them, as text.
    var stampTexts: [String] {
        switch self {
        case .null: []
        case .string(let text): [text]
        case .array(let items): items.flatMap(\.stampTexts)
        case .bool, .number, .object: [pythonText]
        }
    }
}
