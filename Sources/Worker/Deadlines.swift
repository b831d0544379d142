import Mailbox

/// Wakes tasks whose time is up: one timer for all of them, because a timer for each job costs more
/// than most jobs.
final class Deadlines: Sendable {
    /// How late a deadline may be noticed.
    static let resolution = Duration.milliseconds(50)

    private struct State {
        var lastID = 0
        var waiting: [Int: (end: ContinuousClock.Instant, task: CheckedContinuation<Bool, Never>)] =
            [:]
        /// Cancelled before they began to wait.
        var withdrawn: Set<Int> = []
    }

    private let state = Locked(State())
    private let clock = ContinuousClock()
    private let arrival = Signal()

    /// Waits until `limit` has passed; false when the task was cancelled first.
    func pass(after limit: Duration) async -> Bool {
        let end = clock.now + limit
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        let isUp = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isWithdrawn, isFirst) = state.withLock { state in
                    if state.withdrawn.remove(id) != nil { return (true, false) }
                    state.waiting[id] = (end, continuation)
                    return (false, state.waiting.count == 1)
                }
                if isWithdrawn { continuation.resume(returning: false) }
                if isFirst { arrival.raise() }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                let waiting = state.waiting.removeValue(forKey: id)
                if waiting == nil { state.withdrawn.insert(id) }
                return waiting?.task
            }
            waiting?.resume(returning: false)
        }
        // A cancellation that came just after the deadline left its mark.
        if isUp { _ = state.withLock { $0.withdrawn.remove(id) } }
        return isUp
    }

    /// Looks for overdue tasks until cancelled; asleep while nobody waits.
    func run() async {
        await withTaskCancellationHandler {
            while !Task.isCancelled {
                let isIdle = wakeOverdue()
                if isIdle {
                    await arrival.wait()
                } else {
                    try? await Task.sleep(for: Self.resolution)
                }
            }
        } onCancel: {
            arrival.raise()
        }
    }

    private func wakeOverdue() -> Bool {
        let now = clock.now
        let (overdue, isIdle) = state.withLock { state in
            let ids = state.waiting.filter { $0.value.end <= now }.map(\.key)
            return (
                ids.compactMap { state.waiting.removeValue(forKey: $0)?.task },
                state.waiting.isEmpty
            )
        }
        for task in overdue { task.resume(returning: true) }
        return isIdle
    }
}
