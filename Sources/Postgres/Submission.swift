import Mailbox

/// A call on its way through a connection's thread: what to run, under which rules, and the reply.
final class Submission: Sendable {
    /// How the statements travel.
    enum Form {
        /// One sync for all of them: one implicit transaction, or part of the open one.
        case pipeline
        /// One trusted script of several statements, by the simple protocol.
        case script
    }

    /// Where the call stands in an explicit transaction.
    struct Place {
        /// The lease under which the transaction runs.
        let lease: UInt64
        /// Whether its first statement is the `BEGIN`.
        var begins = false
        /// Whether it is the `COMMIT` or `ROLLBACK`.
        var ends = false
    }

    let queries: [PostgresQuery]
    let form: Form
    let place: Place?
    /// When a call that was not yet sent is given up.
    let sendDeadline: ContinuousClock.Instant
    let reply = Reply()

    init(
        _ queries: [PostgresQuery], form: Form = .pipeline, place: Place? = nil,
        sendDeadline: ContinuousClock.Instant
    ) {
        self.queries = queries
        self.form = form
        self.place = place
        self.sendDeadline = sendDeadline
    }

    /// The name for errors that concern the call as a whole.
    var name: String? { queries.lazy.compactMap(\.name).first }

    func fail(_ error: PostgresError) { reply.finish(.failure(error.named(name))) }
}

/// A one-shot answer from a thread to a task; whoever finishes it first wins.
final class Reply: Sendable {
    typealias Answer = Result<[PostgresRows], PostgresError>

    private enum State {
        case open
        case awaited(CheckedContinuation<Answer, Never>)
        case finished(Answer)
        case taken
    }

    private let state = Locked(State.open)

    /// Answers, unless that has happened already.
    func finish(_ answer: Answer) {
        let waiting = state.withLock { state -> CheckedContinuation<Answer, Never>? in
            switch state {
            case .open:
                state = .finished(answer)
                return nil
            case .awaited(let continuation):
                state = .taken
                return continuation
            case .finished, .taken:
                return nil
            }
        }
        waiting?.resume(returning: answer)
    }

    var isFinished: Bool {
        state.withLock { state in
            switch state {
            case .finished, .taken: true
            case .open, .awaited: false
            }
        }
    }

    /// Waits for the answer; for one task, once.
    func answer() async -> Answer {
        await withCheckedContinuation { continuation in
            let early = state.withLock { state -> Answer? in
                guard case .finished(let answer) = state else {
                    state = .awaited(continuation)
                    return nil
                }
                state = .taken
                return answer
            }
            if let early { continuation.resume(returning: early) }
        }
    }
}
