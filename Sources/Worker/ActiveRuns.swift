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

    private struct Entry {
        let run: BodyRun
        let message: JobMessage
        let delivery: Delivery
        let limits: RunLimits
        let startedAt: ContinuousClock.Instant
        var cancelAt: ContinuousClock.Instant
        var abandonAt: ContinuousClock.Instant
        var cut: BodyRun.Cut
        var isAbandoned = false
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Runs begun so far, by name; as many names as there are jobs.
        var started: [JobName: Int] = [:]
        /// When all must be over, because the worker stops.
        var end: ContinuousClock.Instant?
    }

    private let state = Locked(State())
    private let clock = ContinuousClock()

    /// Begins a run, which `end` must follow.
    func begin(
        _ delivery: Delivery, _ message: JobMessage, limits: RunLimits
    ) -> BodyRun {
        let run = BodyRun()
        let now = clock.now
        let entry = Entry(
            run: run, message: message, delivery: delivery, limits: limits, startedAt: now,
            cancelAt: now + limits.cancelAfter, abandonAt: now + limits.abandonAfter,
            cut: .hardLimit(limits.hardLimit))
        state.withLock { state in
            state.entries[delivery.lease.tag] = entry
            state.started[message.name, default: 0] += 1
        }
        return run
    }

    /// Ends a run; returns how long it took.
    func end(_ delivery: Delivery) -> Duration {
        let entry = state.withLock { $0.entries.removeValue(forKey: delivery.lease.tag) }
        return entry.map { clock.now - $0.startedAt } ?? .zero
    }

    /// How many run.
    var count: Int { state.withLock { $0.entries.count } }

    /// All that run, the longest first.
    var list: [RunningJob] {
        let now = clock.now
        let entries = state.withLock { Array($0.entries.values) }
        return entries.sorted { $0.startedAt < $1.startedAt }.map { entry in
            RunningJob(
                id: entry.message.id.text, name: entry.message.name.text,
                queue: entry.delivery.queue.text, attempt: entry.message.retries + 1,
                elapsedSeconds: (now - entry.startedAt).inSeconds, isCancelled: entry.run.cut != nil
            )
        }
    }

    /// All that run with their messages, the longest first.
    var glimpses: [Glimpse] {
        let now = clock.now
        let entries = state.withLock { Array($0.entries.values) }
        return entries.sorted { $0.startedAt < $1.startedAt }.map { entry in
            Glimpse(
                message: entry.message, delivery: entry.delivery, elapsed: now - entry.startedAt)
        }
    }

    /// Runs begun so far, by name.
    var started: [JobName: Int] { state.withLock { $0.started } }

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
        let meant = state.withLock { $0.entries }.filter { isMeant($0.value.message) }
        let tags = Set(meant.keys)
        cut(because: .asked) { tag, _ in tags.contains(tag) }
        return meant.values.map(\.message.id)
    }

    /// Asks runs to end whose message another worker has by now.
    func lose(_ tags: [String]) {
        guard !tags.isEmpty else { return }
        let tags = Set(tags)
        cut(because: .leaseLost) { tag, _ in tags.contains(tag) }
    }

    /// Asks every run to end, because the worker stops.
    func cancelAll() {
        for run in state.withLock({ $0.entries.values.map(\.run) }) {
            run.cancel(because: .stopping)
        }
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
        let now = clock.now
        let (cancelled, abandoned, isStuck) = state.withLock { state in
            var cancelled: [(BodyRun, BodyRun.Cut)] = []
            var abandoned: [(BodyRun, BodyRun.Cut)] = []
            var isStuck = false
            let end = state.end
            for (tag, entry) in state.entries {
                let isOver = end.map { $0 <= now } ?? false
                if entry.isAbandoned {
                    isStuck = isStuck || now - entry.abandonAt > Self.stuckLimit
                } else if isOver || entry.abandonAt <= now {
                    abandoned.append((entry.run, isOver ? .stopping : entry.cut))
                    state.entries[tag]?.isAbandoned = true
                    state.entries[tag]?.abandonAt = now
                } else if entry.cancelAt <= now {
                    cancelled.append((entry.run, entry.limits.cut))
                    state.entries[tag]?.cancelAt = entry.abandonAt
                }
            }
            return (cancelled, abandoned, isStuck)
        }
        for (run, cut) in cancelled { run.cancel(because: cut) }
        for (run, cut) in abandoned { run.abandon(because: cut) }
        return isStuck
    }

    private func cut(because cut: BodyRun.Cut, where isMeant: (String, Entry) -> Bool) {
        let latest = clock.now + Self.cancelLimit
        let runs = state.withLock { state in
            let tags = state.entries.filter { isMeant($0.key, $0.value) }.map(\.key)
            return tags.compactMap { tag -> BodyRun? in
                guard let entry = state.entries[tag] else { return nil }
                state.entries[tag]?.abandonAt = min(entry.abandonAt, latest)
                state.entries[tag]?.cut = cut
                return entry.run
            }
        }
        for run in runs { run.cancel(because: cut) }
    }
}
