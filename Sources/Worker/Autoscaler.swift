import Mailbox

/// Gives a worker more lanes when all are busy, and takes them back when they have long been idle.
final class Autoscaler: Sendable {
    /// How often it looks.
    static let interval = Duration.seconds(1)
    /// How long lanes must have been idle before they go; as long as Celery's.
    static let patience = Duration.seconds(30)

    private struct State {
        var bounds: ClosedRange<Int>
        /// Since when fewer were busy than there are.
        var idleSince: Duration?
    }

    private let state: Locked<State>
    private let busy: @Sendable () -> Int
    private let lanes: LanePool

    init(
        _ bounds: ClosedRange<Int>, lanes: LanePool, busy: @escaping @Sendable () -> Int
    ) {
        state = Locked(State(bounds: bounds))
        self.lanes = lanes
        self.busy = busy
    }

    /// How few lanes there may be, and how many.
    var bounds: ClosedRange<Int> { state.withLock { $0.bounds } }

    /// Sets other bounds, and keeps to them at once.
    func set(_ bounds: ClosedRange<Int>) {
        state.withLock { $0.bounds = bounds }
        lanes.resize(to: min(max(lanes.count, bounds.lowerBound), bounds.upperBound))
    }

    /// Looks until cancelled.
    func run(_ clock: any Clock<Duration> = ContinuousClock()) async { await follow(clock) }

    private func follow(_ clock: some Clock<Duration>) async {
        let start = clock.now
        while (try? await clock.sleep(for: Self.interval)) != nil {
            look(at: start.duration(to: clock.now))
        }
    }

    /// One look, at a time counted from any beginning.
    func look(at now: Duration) {
        let (busy, count) = (busy(), lanes.count)
        let size: Int = state.withLock { state in
            let (least, most) = (state.bounds.lowerBound, state.bounds.upperBound)
            if busy >= count {
                state.idleSince = nil
                return max(count, most)
            }
            let since = state.idleSince ?? now
            state.idleSince = since
            guard now - since >= Self.patience else { return count }
            state.idleSince = nil
            return max(least, busy)
        }
        if size != count { lanes.resize(to: size) }
    }
}
