import JobModel
import Mailbox

/// Events that wait to be sent, and how many had to make room for newer ones.
///
/// Adding never waits.
final class EventBuffer: Sendable {
    /// The most events: some seconds of a busy worker, an hour of a calm one.
    static let maximumCount = 16_384
    /// The most bytes of messages that events are about.
    static let maximumBytes = 16 * 1024 * 1024
    /// When it is full the oldest eighth goes at once: one by one would move all the others each time.
    static let evictedPart = 8

    private struct State {
        var records: [EventRecord] = []
        var bytes = 0
        var isClosed = false
        var dropped = 0
    }

    private let state = Locked(State())
    private let arrival = Signal()
    private let maximumCount: Int
    private let maximumBytes: Int

    init(
        maximumCount: Int = EventBuffer.maximumCount, maximumBytes: Int = EventBuffer.maximumBytes
    ) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    /// Adds an event; returns how many older ones were dropped for it.
    ///
    /// Once closed it takes nothing.
    @discardableResult
    func add(_ record: EventRecord) -> Int {
        let (wasEmpty, dropped) = state.withLock { state in
            guard !state.isClosed else { return (false, 0) }
            let wasEmpty = state.records.isEmpty
            var dropped = 0
            while !state.records.isEmpty, isFull(state, adding: record.weight) {
                dropped += evict(&state)
            }
            state.records.append(record)
            state.bytes += record.weight
            state.dropped += dropped
            return (wasEmpty, dropped)
        }
        if wasEmpty { arrival.raise() }
        return dropped
    }

    /// Takes the oldest, at most `limit`; empty when none waits.
    func take(upTo limit: Int) -> [EventRecord] {
        state.withLock { state in
            guard state.records.count > limit else {
                defer {
                    state.records = []
                    state.bytes = 0
                }
                return state.records
            }
            let taken = Array(state.records.prefix(limit))
            state.records.removeFirst(limit)
            state.bytes -= taken.reduce(0) { $0 + $1.weight }
            return taken
        }
    }

    /// Returns when there is something to take, or it is closed; for one caller at a time.
    func wait() async { await arrival.wait() }

    /// Takes nothing more; what it has can still be taken.
    func close() {
        state.withLock { $0.isClosed = true }
        arrival.raise()
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// How many wait.
    var count: Int { state.withLock { $0.records.count } }

    /// How many were dropped since this was last asked.
    func takeDropped() -> Int {
        state.withLock { state in
            defer { state.dropped = 0 }
            return state.dropped
        }
    }

    private func isFull(_ state: State, adding weight: Int) -> Bool {
        state.records.count >= maximumCount || state.bytes + weight > maximumBytes
    }

    private func evict(_ state: inout State) -> Int {
        let count = max(1, state.records.count / Self.evictedPart)
        state.bytes -= state.records.prefix(count).reduce(0) { $0 + $1.weight }
        state.records.removeFirst(count)
        return count
    }
}
