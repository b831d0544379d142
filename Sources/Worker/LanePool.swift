import Mailbox

/// The lanes of a worker: so many tasks that each run one job after the other, more or fewer of them
/// on demand.
///
/// A lane that is to go ends after its present job.
final class LanePool: Sendable {
    private struct State {
        /// How many there are to be.
        var target: Int
        /// How many have yet to be started.
        var pending: Int
        var alive = 0
        var isDraining = false
    }

    private let state: Locked<State>
    private let fetcher: Fetcher
    private let presence: PresenceNote
    private let change = Signal()

    /// A pool of `count` lanes that are fed by `fetcher`.
    init(_ count: Int, fetcher: Fetcher, presence: PresenceNote) {
        state = Locked(State(target: count, pending: count))
        self.fetcher = fetcher
        self.presence = presence
    }

    /// The most lanes of one worker.
    static let maximum = 4096

    /// How many there are, but for those that are yet to end.
    var count: Int { state.withLock { $0.target } }

    /// Makes it `count` lanes, one at least and ``maximum`` at most; returns how many it makes.
    @discardableResult
    func resize(to count: Int) -> Int {
        let target = min(max(count, 1), Self.maximum)
        let difference = state.withLock { state in
            defer { state.target = target }
            return target - state.target
        }
        if difference < 0 { fetcher.dismiss(-difference) }
        if difference > 0 {
            let new = difference - fetcher.retain(difference)
            state.withLock { $0.pending += new }
            change.raise()
        }
        presence.note(concurrency: target)
        return target
    }

    /// Runs `lane` in as many tasks as there are to be, until draining has ended them all.
    func run(_ lane: @escaping @Sendable () async -> Void) async {
        await withDiscardingTaskGroup { group in
            while true {
                let (count, isOver) = state.withLock { state in
                    let count = state.isDraining ? 0 : state.pending
                    state.pending = 0
                    state.alive += count
                    return (count, state.isDraining && state.alive == 0)
                }
                if isOver { return }
                for _ in 0..<count {
                    group.addTask {
                        await lane()
                        self.state.withLock { $0.alive -= 1 }
                        self.change.raise()
                    }
                }
                await change.wait()
            }
        }
    }

    /// Starts no more lanes; those that run are ended by the fetcher, which drains.
    func drain() {
        state.withLock { $0.isDraining = true }
        change.raise()
    }
}
