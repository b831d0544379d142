import JobModel
import Mailbox

/// One body under way: it can be cancelled, and given up if it ignores that.
///
/// A Swift task cannot be ended from outside. Giving one up means that nobody waits for it any more:
/// it runs on in its slot until the process ends, and what it returns is not heard.
final class BodyRun: Sendable {
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
        case returned(Verdict)
        case threw(any Error)
        /// Given up: the body may still run.
        case abandoned
    }

    private struct State {
        var waiter: CheckedContinuation<End, Never>?
        var task: Task<Void, Never>?
        var cut: Cut?
        var isOver = false
    }

    private let state = Locked(State())

    /// Why it was cut short, if it was.
    var cut: Cut? { state.withLock { $0.cut } }

    /// Runs `body` until it ends or is given up; once only.
    func run(_ body: @escaping @Sendable () async throws -> Verdict) async -> End {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                state.withLock { $0.waiter = waiter }
                let task = Task {
                    do { finish(.returned(try await body())) } catch { finish(.threw(error)) }
                }
                let isCut = state.withLock { state in
                    if !state.isOver { state.task = task }
                    return state.cut != nil
                }
                if isCut { task.cancel() }
            }
        } onCancel: {
            cancel(because: .stopping)
        }
    }

    /// Asks the body to end; callable from any thread.
    func cancel(because cut: Cut) {
        let task = state.withLock { state in
            state.cut = state.cut ?? cut
            return state.task
        }
        task?.cancel()
    }

    /// Stops waiting for the body, after asking it once more; callable from any thread.
    ///
    /// A body that is over is not touched.
    func abandon(because cut: Cut) {
        let (task, waiter) = state.withLock { state in
            // Past the hard limit it no longer matters that there was a soft one.
            if case .softLimit? = state.cut { state.cut = cut }
            state.cut = state.cut ?? cut
            defer { state.waiter = nil }
            return (state.task, state.waiter)
        }
        task?.cancel()
        waiter?.resume(returning: .abandoned)
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
}
