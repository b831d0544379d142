import Mailbox

/// What happened, in order, told by any thread.
package final class Probe<Value: Sendable>: Sendable {
    private let state = Locked<[Value]>([])

    package init() {}

    package func record(_ value: Value) { state.withLock { $0.append(value) } }

    package var values: [Value] { state.withLock { $0 } }

    package var count: Int { state.withLock { $0.count } }
}
