import Mailbox

/// Messages between the event loop that receives them and the task that takes them.
///
/// Both limits bound it: when it is full the oldest are dropped and counted, because on pub/sub the
/// newest is what is true. One task takes at a time.
final class MessageBuffer: Sendable {
    private struct State {
        var messages: [RedisMessage] = []
        var first = 0
        var bytes = 0
        var dropped = 0
        var isClosed = false
        var waiter: CheckedContinuation<RedisMessage?, Never>?

        var count: Int { messages.count - first }

        mutating func removeFirst() -> RedisMessage {
            let message = messages[first]
            first += 1
            bytes -= message.payload.count
            if first == messages.count {
                messages.removeAll(keepingCapacity: first <= 1024)
                first = 0
            } else if first >= 1024 {
                messages.removeFirst(first)
                first = 0
            }
            return message
        }
    }

    private let state = Locked(State())
    private let maximumMessages: Int
    private let maximumBytes: Int

    init(maximumMessages: Int, maximumBytes: Int) {
        precondition(maximumMessages > 0 && maximumBytes > 0, "a buffer has room for something")
        self.maximumMessages = maximumMessages
        self.maximumBytes = maximumBytes
    }

    /// How many were dropped for want of room.
    var dropped: Int { state.withLock { $0.dropped } }

    /// Leaves a message; safe from any thread.
    func add(_ message: RedisMessage) {
        let waiter: CheckedContinuation<RedisMessage?, Never>? = state.withLock { state in
            guard !state.isClosed else { return nil }
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            state.messages.append(message)
            state.bytes += message.payload.count
            while state.count > maximumMessages || state.bytes > maximumBytes, state.count > 1 {
                _ = state.removeFirst()
                state.dropped += 1
            }
            return nil
        }
        waiter?.resume(returning: message)
    }

    /// The oldest message, waiting for one; nil when closed and empty, or the task is cancelled.
    func next() async -> RedisMessage? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (answer, isAnswered): (RedisMessage?, Bool) = state.withLock { state in
                    if state.count > 0 { return (state.removeFirst(), true) }
                    if state.isClosed || Task.isCancelled { return (nil, true) }
                    precondition(state.waiter == nil, "one task takes from a subscription")
                    state.waiter = continuation
                    return (nil, false)
                }
                if isAnswered { continuation.resume(returning: answer) }
            }
        } onCancel: {
            takeWaiter()?.resume(returning: nil)
        }
    }

    /// Lets `next()` end once it is empty.
    func close() {
        state.withLock { $0.isClosed = true }
        takeWaiter()?.resume(returning: nil)
    }

    private func takeWaiter() -> CheckedContinuation<RedisMessage?, Never>? {
        state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
    }
}
