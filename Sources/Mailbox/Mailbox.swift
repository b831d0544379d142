/// How work crosses to the thread that owns a C handle.
///
/// Lock, append, wake the owner if the box was empty; the owner drains everything at once, so a
/// burst costs one wake-up.
package final class Mailbox<Item: Sendable>: Sendable {
    private struct State {
        var items: [Item] = []
        var isClosed = false
    }

    private let state = Locked(State())
    private let limit: Int
    private let wake: @Sendable () -> Void

    /// Why an item was not taken.
    package enum Refusal: Error, Equatable {
        /// The owner has stopped.
        case closed
        /// `limit` items are already waiting.
        case full
    }

    /// Makes a mailbox of at most `limit` waiting items; `wake` is called from the sender's thread.
    package init(limit: Int, wake: @escaping @Sendable () -> Void) {
        precondition(limit > 0, "a mailbox needs room for one item")
        self.limit = limit
        self.wake = wake
    }

    /// Leaves `item` for the owner.
    package func send(_ item: Item) throws(Refusal) {
        let mustWake = try state.withLock { (state) throws(Refusal) -> Bool in
            guard !state.isClosed else { throw .closed }
            guard state.items.count < limit else { throw .full }
            state.items.append(item)
            return state.items.count == 1
        }
        if mustWake { wake() }
    }

    /// Takes everything that waits; for the owner only.
    package func drain() -> [Item] {
        state.withLock { state in
            var taken: [Item] = []
            swap(&taken, &state.items)
            return taken
        }
    }

    /// Refuses further items and returns those never taken, so that the owner can answer them.
    package func close() -> [Item] {
        state.withLock { state in
            state.isClosed = true
            var taken: [Item] = []
            swap(&taken, &state.items)
            return taken
        }
    }

    /// Whether ``close()`` was called.
    package var isClosed: Bool { state.withLock { $0.isClosed } }
}
