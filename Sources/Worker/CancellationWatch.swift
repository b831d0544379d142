import Broker
import Foundation
import JobModel
import Mailbox

/// Which jobs are to end, as this worker knows by asking Redis every second.
///
/// The wish is a record in Redis, so that it holds for a job that has yet to come, and through
/// restarts; what runs here is cancelled when the wish is first seen.
final class CancellationWatch: Sendable {
    /// The most ids remembered here; beyond, all are read again.
    private static let maximumRemembered = 200_000

    private struct State {
        var ids: Set<JobID> = []
        var since: Date?
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

    /// Whether this job is to end.
    func contains(_ id: JobID) -> Bool {
        state.withLock { !$0.ids.isEmpty && $0.ids.contains(id) }
    }

    /// Returns once the wishes of the past are known, or the worker stops.
    func loadedOnce() async { await loaded.pass() }

    /// Lets those who wait for the first answer go on without it.
    func stop() { loaded.unlock() }

    /// One round; returns how long to sleep before the next.
    func runOnce() async throws(BrokerError) -> Duration {
        let since = state.withLock { state in
            if state.ids.count > Self.maximumRemembered { state = State() }
            return state.since
        }
        let wishes = try await broker.cancellations(since: since)
        let new = state.withLock { state in
            let new = Set(wishes.ids).subtracting(state.ids)
            state.ids.formUnion(new)
            state.since = wishes.next
            return new
        }
        runs.cancel(new)
        loaded.unlock()
        return interval
    }
}
