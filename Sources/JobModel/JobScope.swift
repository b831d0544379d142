import Mailbox
import Synchronization

/// One run of a job, as its context sees it: the message it came by, and what it wants sent.
///
/// What it wants sent is kept until the job is settled, and then sent in the same step: if and only
/// if the job counts as done, and once. A failed attempt sends nothing.
package final class JobScope: Sendable {
    /// What the job wants sent, and the results of it as Celery's tuples.
    package struct Draft: Sendable {
        package var publication = Publication()
        package var children: [JSONValue] = []

        package init() {}
    }

    /// The message.
    package let message: JobMessage
    /// The reservation that it runs under.
    package let delivery: Delivery
    /// Its arguments and canvas parts.
    package let body: MessageBody
    /// The workflow that the job is a part of, if it is part of one.
    package let task: CanvasTask?
    /// The attempt after which a failure becomes a dead letter.
    let maximumAttempts: Int
    let site: JobSite
    private let hasDraft = Atomic(false)

    package init(
        _ message: JobMessage, _ body: MessageBody, task: CanvasTask?, from delivery: Delivery,
        maximumAttempts: Int, on site: JobSite
    ) {
        self.message = message
        self.body = body
        self.task = task
        self.delivery = delivery
        self.maximumAttempts = maximumAttempts
        self.site = site
    }

    deinit {
        if hasDraft.load(ordering: .acquiring) { site.drafts.withLock { $0[key] = nil } }
    }

    /// What was collected so far.
    package var draft: Draft {
        guard hasDraft.load(ordering: .acquiring) else { return Draft() }
        return site.drafts.withLock { $0[key] } ?? Draft()
    }

    func send(_ signature: Signature) throws(CanvasError) -> SentSignature {
        let (publication, sent) = try publisher.publication(of: signature)
        try keep(publication, sent.result)
        return sent
    }

    func addToChord(_ signature: Signature) throws(CanvasError) {
        try keep(try publisher.publication(ofPart: signature), nil)
    }

    func report(_ name: String, _ meta: JSONValue) async throws {
        try await site.report?(self, name, meta)
    }

    private var key: ObjectIdentifier { ObjectIdentifier(self) }

    private func keep(_ new: Publication, _ child: JSONValue?) throws(CanvasError) {
        let fits = site.drafts.withLock { drafts in
            var draft = drafts[key] ?? Draft()
            let count = draft.publication.messages.count + new.messages.count
            guard count <= CanvasPublisher.maximumMessages else { return false }
            draft.publication += new
            if let child { draft.children.append(child) }
            drafts[key] = draft
            return true
        }
        guard fits else { throw CanvasPublisher.tooLarge }
        hasDraft.store(true, ordering: .releasing)
    }

    private var publisher: CanvasPublisher {
        let now = site.time.now
        if let task { return CanvasPublisher(rules: site.rules, task: task, now: now) }
        return CanvasPublisher(
            rules: site.rules, rootID: message.rootID ?? message.id.text,
            parentID: message.id.text, now: now)
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
