/// Cancels a body that runs longer than it may.
struct TimeLimit: Sendable {
    /// A body that was cut off; counts as a failed attempt.
    struct Exceeded: Error, CustomStringConvertible {
        let limit: Duration
        var description: String { "ran longer than its time limit of \(limit)" }
    }

    private enum Event<Value: Sendable>: Sendable {
        case finished(Value)
        case timeUp
        case cancelled
    }

    let limit: Duration
    let deadlines: Deadlines

    /// Runs `body`; when the limit passes first, cancels it, waits for it to end, and throws
    /// `Exceeded`. A body that finishes in spite of a cancellation counts as finished.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Event<Value>.self) { group in
            group.addTask { .finished(try await body()) }
            group.addTask { [limit, deadlines] in
                await deadlines.pass(after: limit) ? .timeUp : .cancelled
            }
            var isOverdue = false
            while true {
                do {
                    switch try await group.next() {
                    case .finished(let value):
                        group.cancelAll()
                        return value
                    case .timeUp:
                        isOverdue = true
                        group.cancelAll()
                    case .cancelled: continue
                    case nil: throw Exceeded(limit: limit)
                    }
                } catch {
                    group.cancelAll()
                    throw isOverdue ? Exceeded(limit: limit) : error
                }
            }
        }
    }
}
