package import Foundation

/// Turns signatures into what is written to send them; pure but for fresh ids.
package struct CanvasPublisher: Sendable {
    /// What is known of the jobs.
    package var rules: CanvasRules
    /// The first task of the workflow; each task's own id when there is none.
    package var rootID: String?
    /// The task that sends.
    package var parentID: String?
    /// The present, for `countdown` and `expires`.
    package var now: Date

    package init(
        rules: CanvasRules = CanvasRules(), rootID: String? = nil, parentID: String? = nil,
        now: Date
    ) {
        self.rules = rules
        self.rootID = rootID
        self.parentID = parentID
        self.now = now
    }

    /// What sending `signature` writes, with `args` before its own arguments.
    ///
    /// - Throws: ``CanvasError``.
    package func publication(
        of signature: Signature, args: [JSONValue] = []
    ) throws(CanvasError) -> (Publication, SentSignature) {
        throw CanvasError(code: "canvas.todo", message: "not there yet")
    }

    /// What adding a part to the running job's own chord writes.
    func publication(ofPart signature: Signature) throws(CanvasError) -> Publication {
        throw CanvasError(code: "canvas.todo", message: "not there yet")
    }
}
