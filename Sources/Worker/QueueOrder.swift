package import Broker
package import JobModel

/// In which order a worker reads its lists: strictly by priority step, and within a step by turns,
/// so that a long queue does not starve its neighbours.
package struct QueueOrder: Sendable {
    private let queues: [QueueName]

    package init(_ queues: [QueueName]) {
        precondition(!queues.isEmpty, "an order needs a queue")
        self.queues = queues
    }

    /// Every list, most urgent first; `turn` says which queue goes first in each step.
    package func lists(turn: Int) -> [ListAddress] {
        let first = turn % queues.count
        let rotated = queues[first...] + queues[..<first]
        return Priority.steps.indices.flatMap { step in
            rotated.map { ListAddress(queue: $0, step: step) }
        }
    }
}
