import Mailbox

/// A flag that one task waits for: raising it twice before the wait counts once.
final class Signal: Sendable {
    private enum State {
        case lowered
        case raised
        case awaited(CheckedContinuation<Void, Never>)
    }

    private let state = Locked(State.lowered)

    /// Wakes the waiting task, or lets the next wait pass at once.
    func raise() {
        let waiting: CheckedContinuation<Void, Never>? = state.withLock { state in
            if case .awaited(let continuation) = state {
                state = .lowered
                return continuation
            }
            state = .raised
            return nil
        }
        waiting?.resume()
    }

    /// Returns once the flag has been raised, and lowers it.
    ///
    /// For one task at a time.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isRaised = state.withLock { state in
                if case .raised = state {
                    state = .lowered
                    return true
                }
                state = .awaited(continuation)
                return false
            }
            if isRaised { continuation.resume() }
        }
    }

    /// Returns once the flag has been raised, and lowers it, or after `limit`.
    func wait(upTo limit: Duration) async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.wait()
                return true
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                return false
            }
            let isRaised = await group.next() ?? true
            // The wait hears no cancellation. At worst it was raised just now, and is once more.
            if !isRaised { raise() }
            group.cancelAll()
        }
    }
}

/// A gate that many tasks wait at until it is opened.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var isUnlocked = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())

    /// Lets everybody through until it is closed.
    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Holds those who come later, unless the gate is unlocked.
    func close() { state.withLock { $0.isOpen = $0.isUnlocked } }

    /// Opens for good.
    func unlock() {
        state.withLock { $0.isUnlocked = true }
        open()
    }

    /// Lets those through that wait now, and nobody else.
    func letThrough() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns at once when open, else when it is opened.
    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}
