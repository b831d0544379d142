import JobModel
import Mailbox

/// One task of a lane, in which bodies run one after the other until one of them has to be cut off.
///
/// A Swift task cannot be ended from outside, and one that was cancelled stays so. So a stint ends
/// with the body that was cancelled in it, and the lane begins another. Giving a body up means that
/// nobody waits for its stint any more: it runs on until the process ends, and what it returns is not
/// heard. Bodies that end by themselves, nearly all, share one task and cost none of their own.
final class Stint: Sendable {
    /// Why a body is to end before it is done; the first reason is kept.
    enum Cut: Sendable, Equatable {
        /// It ran longer than it may, and counts as a failed attempt.
        case softLimit(Duration)
        /// It ran longer than it may at most, and is not tried again.
        case hardLimit(Duration)
        /// Somebody asked for it, by the job's id.
        case asked
        /// The lease is gone: another worker has the message.
        case leaseLost
        /// The worker stops.
        case stopping
    }

    /// How it came to its end.
    enum End: Sendable {
        /// There is nothing more to do for its lane.
        case over
        /// The body that ran last was asked to end, and did.
        case cut(Conclusion, SuspectLane.Pass?)
        /// The body that runs does not end: its lane is lost.
        case abandoned
    }

    private struct State {
        var run: ActiveRun?
        var cut: Cut?
        var task: Task<Void, Never>?
        var waiter: CheckedContinuation<End, Never>?
        /// Whatever begins from now on is cancelled at once.
        var isStopping = false
        var isOver = false
    }

    private let state = Locked(State())
    private let clock = ContinuousClock()

    /// Runs `work` in a task of its own until it ends or a body in it is given up; once only.
    func run(_ work: @escaping @Sendable (Stint) async -> End) async -> End {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                state.withLock { $0.waiter = waiter }
                let task = Task { finish(await work(self)) }
                let isCut = state.withLock { state in
                    if !state.isOver { state.task = task }
                    return state.cut != nil
                }
                if isCut { task.cancel() }
            }
        } onCancel: {
            stop()
        }
    }

    private func finish(_ end: End) {
        let waiter = state.withLock { state in
            defer {
                state.waiter = nil
                state.task = nil
                state.isOver = true
            }
            return state.waiter
        }
        waiter?.resume(returning: end)
    }

    // MARK: Called from within its task

    /// Begins a body, which ``end()`` must follow.
    func begin(
        _ scope: JobScope, _ kind: JobKind, _ limits: RunLimits, _ pass: SuspectLane.Pass?
    ) {
        let run = ActiveRun(scope, kind, limits, pass, at: clock.now)
        let cancelled: Task<Void, Never>? = state.withLock { state in
            state.run = run
            if state.isStopping { state.cut = .stopping }
            return state.isStopping ? state.task : nil
        }
        cancelled?.cancel()
    }

    /// Ends the body; returns how long it took and why it was to end early, if it was.
    ///
    /// `nil` when it was given up meanwhile: then another has told its end, and nothing more is to be
    /// done.
    func end() -> (elapsed: Duration, cut: Cut?)? {
        let now = clock.now
        return state.withLock { state in
            guard let run = state.run, !run.isAbandoned else { return nil }
            state.run = nil
            return (now - run.startedAt, state.cut)
        }
    }

    // MARK: Called from anywhere

    /// What runs in it now.
    var current: ActiveRun? { state.withLock { $0.run } }

    /// Why what runs in it is to end.
    var cut: Cut? { state.withLock { $0.cut } }

    /// Takes the run that was given up away, to tell its end in its place.
    func takeAbandoned() -> ActiveRun? {
        state.withLock { state in
            guard let run = state.run, run.isAbandoned else { return nil }
            state.run = nil
            return run
        }
    }

    /// Asks the body to end, when it is meant, and gives it up after `limit`; whether it was.
    @discardableResult
    func cancel(
        because cut: Cut, within limit: Duration? = nil, where isMeant: (ActiveRun) -> Bool
    ) -> Bool {
        let (isFound, task): (Bool, Task<Void, Never>?) = state.withLock { state in
            guard var run = state.run, !run.isAbandoned, isMeant(run) else { return (false, nil) }
            if let limit {
                run.abandonAt = min(run.abandonAt, clock.now + limit)
                run.cut = cut
                state.run = run
            }
            state.cut = state.cut ?? cut
            return (true, state.task)
        }
        task?.cancel()
        return isFound
    }

    /// Asks what runs now to end, and all that would begin.
    func stop() {
        state.withLock { $0.isStopping = true }
        cancel(because: .stopping) { _ in true }
    }

    /// Cancels and gives up what is overdue, everything at `end`; true when a run was given up long
    /// ago and nobody has noticed: then bodies block every thread.
    func sweep(at now: ContinuousClock.Instant, end: ContinuousClock.Instant?) -> Bool {
        var waiter: CheckedContinuation<End, Never>?
        var task: Task<Void, Never>?
        let isStuck = state.withLock { state in
            guard var run = state.run else { return false }
            let isOver = end.map { $0 <= now } ?? false
            if run.isAbandoned { return now - run.abandonAt > ActiveRuns.stuckLimit }
            if isOver || run.abandonAt <= now {
                let cut = isOver ? .stopping : run.cut
                // Past the hard limit it no longer matters that there was a soft one.
                if case .softLimit? = state.cut { state.cut = cut }
                state.cut = state.cut ?? cut
                run.isAbandoned = true
                run.abandonAt = now
                waiter = state.waiter
                state.waiter = nil
                task = state.task
            } else if run.cancelAt <= now {
                run.cancelAt = run.abandonAt
                state.cut = state.cut ?? run.limits.cut
                task = state.task
            }
            state.run = run
            return false
        }
        task?.cancel()
        waiter?.resume(returning: .abandoned)
        return isStuck
    }
}
