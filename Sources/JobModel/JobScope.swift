import Mailbox

/// One run of a job, as its context sees it: the message it came by, and what it wants sent.
///
/// What it wants sent is kept until the job is settled, and then sent in the same step: if and only
/// if the job counts as done, and once. A failed attempt sends nothing.
package final class JobScope: Sendable {
    /// Tells whoever waits for the result how the job stands.
    package typealias StateReport =
        @Sendable (_ state: String, _ meta: JSONValue) async throws -> Void

    /// What the job wants sent, and the results of it as Celery's tuples.
    package struct Draft: Sendable {
        package var publication = Publication()
        package var children: [JSONValue] = []
    }

    /// The message.
    package let message: JobMessage
    /// Its arguments and canvas parts.
    package let body: MessageBody
    /// The workflow that the job is a part of, if it is part of one.
    package let task: CanvasTask?
    private let rules: CanvasRules
    private let time: any TimeSource
    private let report: StateReport?
    private let state = Locked(Draft())

    package init(
        _ message: JobMessage, _ body: MessageBody, task: CanvasTask?, rules: CanvasRules,
        time: any TimeSource, report: StateReport? = nil
    ) {
        self.message = message
        self.body = body
        self.task = task
        self.rules = rules
        self.time = time
        self.report = report
    }

    /// What was collected so far.
    package var draft: Draft { state.withLock { $0 } }

    func send(_ signature: Signature) throws(CanvasError) -> SentSignature {
        let (publication, sent) = try publisher.publication(of: signature)
        try keep(publication, sent.result)
        return sent
    }

    func addToChord(_ signature: Signature) throws(CanvasError) {
        try keep(try publisher.publication(ofPart: signature), nil)
    }

    func report(_ name: String, _ meta: JSONValue) async throws { try await report?(name, meta) }

    private func keep(_ new: Publication, _ child: JSONValue?) throws(CanvasError) {
        let fits = state.withLock { draft in
            let count = draft.publication.messages.count + new.messages.count
            guard count <= CanvasPublisher.maximumMessages else { return false }
            draft.publication += new
            if let child { draft.children.append(child) }
            return true
        }
        guard fits else { throw CanvasPublisher.tooLarge }
    }

    private var publisher: CanvasPublisher {
        if let task { return CanvasPublisher(rules: rules, task: task, now: time.now) }
        return CanvasPublisher(
            rules: rules, rootID: message.rootID ?? message.id.text, parentID: message.id.text,
            now: time.now)
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
