import Broker
import JobModel
import Mailbox

/// What the worker says of itself, kept true while queues and lanes come and go.
final class PresenceNote: Sendable {
    private struct State {
        var presence: WorkerPresence
        var queues: [QueueName]
        var concurrency: Int
    }

    private let state: Locked<State>

    init(_ presence: WorkerPresence, queues: [QueueName]) {
        state = Locked(
            State(presence: presence, queues: queues, concurrency: presence.concurrency))
    }

    var presence: WorkerPresence { state.withLock { $0.presence } }

    /// The queues are these now.
    func note(queues: [QueueName]) { change { $0.queues = queues } }

    /// There are so many lanes now.
    func note(concurrency: Int) { change { $0.concurrency = concurrency } }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            state.presence = state.presence.serving(
                state.queues, concurrency: state.concurrency)
        }
    }
}
