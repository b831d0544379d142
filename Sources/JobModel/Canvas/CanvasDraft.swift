import Mailbox

/// What a running job wants sent: kept until it is settled, and then sent in the same step.
///
/// So it is sent if and only if the job counts as done, and once. A failed attempt sends nothing.
package final class CanvasDraft: Sendable {
    private struct State {
        var publication = Publication()
        var children: [JSONValue] = []
    }

    private let state = Locked(State())
    private let publisher: CanvasPublisher

    /// Collects what is sent by the job that `publisher` stands for.
    package init(publisher: CanvasPublisher) { self.publisher = publisher }

    /// What was collected, and the results of it as Celery's tuples.
    package var collected: (publication: Publication, children: [JSONValue]) {
        state.withLock { ($0.publication, $0.children) }
    }

    func send(_ signature: Signature) throws(CanvasError) -> SentSignature {
        try signature.check()
        let (publication, sent) = try publisher.publication(of: signature)
        state.withLock { state in
            state.publication += publication
            state.children.append(sent.result)
        }
        return sent
    }

    func addPart(_ signature: Signature) throws(CanvasError) {
        try signature.check()
        let publication = try publisher.publication(ofPart: signature)
        state.withLock { $0.publication += publication }
    }
}

/// A signature that was sent, or will be.
public struct SentSignature: Sendable, Equatable {
    /// The task whose result is the result of the whole.
    public let id: JobID
    /// `[[id, parent], children]`, what Python's `result_from_tuple` reads.
    public let result: JSONValue

    package init(id: JobID, result: JSONValue) {
        self.id = id
        self.result = result
    }
}
