import JobModel
import Mailbox

/// A job that runs now, as operators see it.
package struct RunningJob: Sendable, Equatable, Codable {
    package let id: String
    package let name: String
    package let queue: String
    package let attempt: Int
    package let elapsedSeconds: Double
    /// Whether it was asked to end.
    package let isCancelled: Bool
}

/// The jobs that run now: when they must end, and the way to end one by its id.
///
/// ``sweep()`` is called from a thread that job code cannot block, so that limits hold even while
/// bodies block every thread of the cooperative pool.
final class ActiveRuns: Sendable {
    /// How long a run may go on after it was asked to end by its id, or lost its lease.
    static let cancelLimit = Duration.seconds(10)
    /// How long the pool may take to notice that a run was given up; longer, and it is blocked.
    static let stuckLimit = Duration.seconds(10)

    /// A run as remote control describes it.
    struct Glimpse: Sendable {
        let message: JobMessage
        let delivery: Delivery
        let elapsed: Duration
    }

    private struct State {
        /// Those of lanes that are alive, and those whose body does not end until it is noticed.
        var stints: [ObjectIdentifier: Stint] = [:]
        /// When all must be over, because the worker stops.
        var end: ContinuousClock.Instant?
    }

    private let state = Locked(State())
    private let clock = ContinuousClock()

    /// Watches over the bodies of a stint until it is removed.
    func add(_ stint: Stint) { state.withLock { $0.stints[ObjectIdentifier(stint)] = stint } }

    /// Forgets a stint that is over.
    func remove(_ stint: Stint) { state.withLock { $0.stints[ObjectIdentifier(stint)] = nil } }

    private var stints: [Stint] { state.withLock { Array($0.stints.values) } }

    private var runs: [(stint: Stint, run: ActiveRun)] {
        stints.compactMap { stint in stint.current.map { (stint, $0) } }
            .sorted { $0.run.startedAt < $1.run.startedAt }
    }

    /// How many run.
    var count: Int { stints.count { $0.current != nil } }

    /// All that run, the longest first.
    var list: [RunningJob] {
        let now = clock.now
        return runs.map { stint, run in
            RunningJob(
                id: run.scope.message.id.text, name: run.scope.message.name.text,
                queue: run.scope.delivery.queue.text, attempt: run.scope.message.retries + 1,
                elapsedSeconds: (now - run.startedAt).inSeconds, isCancelled: stint.cut != nil)
        }
    }

    /// All that run with their messages, the longest first.
    var glimpses: [Glimpse] {
        let now = clock.now
        return runs.map { _, run in
            Glimpse(
                message: run.scope.message, delivery: run.scope.delivery,
                elapsed: now - run.startedAt)
        }
    }

    /// Asks the runs of these jobs to end; those that ignore it are given up.
    ///
    /// Returns the ids of those that run.
    @discardableResult
    func cancel(_ ids: Set<JobID>) -> [JobID] {
        guard !ids.isEmpty else { return [] }
        return cancel { ids.contains($0.id) }
    }

    /// Asks the runs of the jobs that are meant to end; returns their ids.
    func cancel(where isMeant: (JobMessage) -> Bool) -> [JobID] {
        var cancelled: [JobID] = []
        // What is meant is found out first: that may take its time, and holds no lock.
        for (stint, run) in runs where isMeant(run.scope.message) {
            let isFound = stint.cancel(because: .asked, within: Self.cancelLimit) {
                $0.scope === run.scope
            }
            if isFound { cancelled.append(run.scope.message.id) }
        }
        return cancelled
    }

    /// Asks runs to end whose message another worker has by now.
    func lose(_ tags: [String]) {
        guard !tags.isEmpty else { return }
        let tags = Set(tags)
        for stint in stints {
            stint.cancel(because: .leaseLost, within: Self.cancelLimit) {
                tags.contains($0.scope.delivery.lease.tag)
            }
        }
    }

    /// Asks every run to end, because the worker stops.
    func cancelAll() {
        for stint in stints { stint.cancel(because: .stopping) { _ in true } }
    }

    /// Gives every run up.
    func abandonAll() { end(by: clock.now) }

    /// Gives up what still runs at `end`.
    func end(by end: ContinuousClock.Instant) {
        state.withLock { $0.end = min($0.end ?? end, end) }
    }

    /// Gives up what still runs after `limit`.
    func end(within limit: Duration) { end(by: clock.now + limit) }

    /// Cancels and gives up what is overdue; true when runs were given up long ago and nobody has
    /// noticed: then bodies block every thread, and only the end of the process helps.
    func sweep() -> Bool {
        let (stints, end) = state.withLock { (Array($0.stints.values), $0.end) }
        let now = clock.now
        var isStuck = false
        for stint in stints where stint.sweep(at: now, end: end) { isStuck = true }
        return isStuck
    }
}
