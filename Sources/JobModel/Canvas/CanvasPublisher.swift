package import Foundation

/// Turns signatures into what is written to send them; pure but for fresh ids.
///
/// Source: Celery's canvas, as its clients and workers show it on the wire.
package struct CanvasPublisher: Sendable {
    /// The most messages that one signature may become at once.
    package static let maximumMessages = 100_000

    /// What is known of the jobs.
    package var rules: CanvasRules
    /// The first task of the workflow; each task's own id when there is none.
    package var rootID: String?
    /// The task that sends.
    package var parentID: String?
    /// The present, for `countdown` and `expires`.
    package var now: Date
    /// The running job's own chord, for parts that are added to it.
    package var task: CanvasTask?
    /// The most messages at once, if it is not to be ``maximumMessages``.
    var limit = Self.maximumMessages
    private let newID: @Sendable () -> String

    package init(
        rules: CanvasRules = CanvasRules(), rootID: String? = nil, parentID: String? = nil,
        now: Date, newID: @escaping @Sendable () -> String = { UUID().uuidString.lowercased() }
    ) {
        self.rules = rules
        self.rootID = rootID
        self.parentID = parentID
        self.now = now
        self.newID = newID
    }

    /// The publisher of what the job of `task` sends.
    package init(
        rules: CanvasRules, task: CanvasTask, now: Date,
        newID: @escaping @Sendable () -> String = { UUID().uuidString.lowercased() }
    ) {
        self.init(
            rules: rules, rootID: task.rootID, parentID: task.id.text, now: now, newID: newID)
        self.task = task
    }

    /// What sending `signature` writes, with `args` before its own arguments.
    ///
    /// - Throws: ``CanvasError``: `canvas.empty` when nothing would be sent, `canvas.too_large`,
    ///   `canvas.malformed`.
    package func publication(
        of signature: Signature, args: [JSONValue] = []
    ) throws(CanvasError) -> (Publication, SentSignature) {
        var publication = Publication()
        guard let result = try send(signature, args: args, into: &publication) else {
            throw CanvasError(code: "canvas.empty", message: "an empty chain cannot be sent")
        }
        return (publication, SentSignature(id: JobID(result.id), result: result.tuple))
    }

    /// What adding a member to the running job's own chord writes.
    func publication(ofPart signature: Signature) throws(CanvasError) -> Publication {
        guard let task, let chord = task.chord, let groupID = task.groupID else {
            throw CanvasError(
                code: "canvas.no_chord", message: "the job is not a member of a chord")
        }
        var member = signature
        member.options["group_id"] = .string(groupID)
        member.options["group_index"] = task.groupIndex
        member.options["chord"] = chord.json
        member.options["root_id"] = .string(task.rootID)
        _ = freezer.freeze(&member)
        var publication = Publication()
        publication.extraParts = [groupID]
        _ = try send(member, into: &publication)
        return publication
    }

    static let tooLarge = CanvasError(
        code: "canvas.too_large",
        message: "the workflow would send more than \(maximumMessages) messages at once")

    var freezer: CanvasFreezer { CanvasFreezer(newID: newID) }

    // MARK: Sending

    /// Writes what `signature` becomes; `nil` when it becomes nothing.
    func send(
        _ signature: Signature, args: [JSONValue] = [], with options: JSONObject = JSONObject(),
        into publication: inout Publication
    ) throws(CanvasError) -> ResultNode? {
        if let problem = signature.problem { throw problem }
        var options = signature.options(mergedWith: options)
        if options["root_id"]?.isNull ?? true, let rootID { options["root_id"] = .string(rootID) }
        switch signature.shape {
        case .task:
            if options["parent_id"]?.isNull ?? true, let parentID {
                options["parent_id"] = .string(parentID)
            }
            return try sendTask(signature.given(args), options, into: &publication)
        case .chain: return try sendChain(signature, args, options, into: &publication)
        case .group(let members):
            return try sendGroup(members, args, options, into: &publication)
        case .chord(let header, let body):
            return try sendChord(signature, header, body, args, options, into: &publication)
        }
    }

    private func sendTask(
        _ task: Signature, _ options: JSONObject, into publication: inout Publication
    ) throws(CanvasError) -> ResultNode {
        guard publication.messages.count < limit else {
            throw Self.tooLarge
        }
        let id = options["task_id"]?.stringValue ?? newID()
        publication.messages.append(try message(JobID(id), task, options))
        return ResultNode(id)
    }

    private static let optionsOfWholeChain: Set<String> = [
        "chord", "group_id", "group_index", "link", "link_error", "parent_id", "root_id",
        "task_id", "chain",
    ]

    private func sendChain(
        _ chain: Signature, _ args: [JSONValue], _ options: JSONObject,
        into publication: inout Publication
    ) throws(CanvasError) -> ResultNode? {
        let place = CanvasFreezer.Place(
            id: options["task_id"]?.stringValue, groupID: options["group_id"]?.stringValue,
            groupIndex: options["group_index"]?.intValue, chord: given(options["chord"]),
            rootID: options["root_id"]?.stringValue)
        var whole = chain
        whole.options = options
        var (steps, results) = freezer.steps(
            of: whole, place, args: chain.isImmutable ? args : args + chain.args,
            linkErrors: whole.list("link_error"), isSent: true)
        guard !steps.isEmpty else { return nil }
        for callback in whole.list("link") { steps[0].add(callback, to: "link") }
        let first = steps.removeLast()
        var rest = options
        for key in Self.optionsOfWholeChain { rest[key] = nil }
        let tail = whole.list("chain") + steps.map(\.json)
        if !tail.isEmpty { rest["chain"] = .array(tail) }
        let sent = try send(first, with: rest, into: &publication)
        return steps.isEmpty ? sent : results[0]
    }

    private func sendGroup(
        _ members: [Signature], _ args: [JSONValue], _ options: JSONObject,
        into publication: inout Publication
    ) throws(CanvasError) -> ResultNode {
        let id = options["task_id"]?.stringValue ?? newID()
        var passed = options
        for key in ["task_id", "group_id", "group_index"] { passed[key] = nil }
        let flat = CanvasFreezer.flattened(members)
        var results: [ResultNode] = []
        var size = 0
        for (index, member) in flat.enumerated() {
            var member = member.given(args)
            results.append(
                freezer.freeze(
                    &member,
                    CanvasFreezer.Place(
                        groupID: id, groupIndex: index, rootID: options["root_id"]?.stringValue)))
            size += member.partCount
            var own = passed
            own["chord"] = given(passed["chord"]) ?? given(member.options["chord"])
            if own["chord"] != nil, index == flat.count - 1 {
                publication.chordSizes.append(Publication.ChordSize(group: id, size: size))
            }
            _ = try send(member, with: own, into: &publication)
        }
        return ResultNode(id, children: results)
    }

    private func sendChord(
        _ chord: Signature, _ header: [Signature], _ body: Signature, _ args: [JSONValue],
        _ given: JSONObject, into publication: inout Publication
    ) throws(CanvasError) -> ResultNode? {
        var whole = chord
        whole.options = given
        let id =
            chord.headerOptions["task_id"]?.stringValue ?? given["task_id"]?.stringValue ?? newID()
        var body = body
        let bodyResult = prepare(&body, of: &whole, group: id)
        var group = Signature.group(header, options: chord.headerOptions)
        group.options["task_id"] = .string(id)
        let frozen = freezer.freeze(
            &group,
            CanvasFreezer.Place(groupID: id, rootID: body.options["root_id"]?.stringValue))
        guard case .group(let members) = group.shape, !members.isEmpty else {
            return try send(body, args: [[]], into: &publication)
        }
        if frozen.children?.contains(where: { $0.children != nil }) ?? false {
            publication.savedGroups.append(
                Publication.SavedGroup(group: id, record: ["result": frozen.tuple]))
        }
        var passed = whole.options
        for key in ["group_id", "group_index"] { passed[key] = nil }
        passed["task_id"] = .string(id)
        passed["chord"] = body.json
        for key in ["countdown", "eta"] { passed[key] = self.given(given[key]) }
        let headerArgs = chord.isImmutable ? args : args + chord.args
        _ = try sendGroup(members, headerArgs, passed, into: &publication)
        bodyResult.parent = frozen
        return bodyResult
    }

    /// Gives the body what belongs to it: the chord's callbacks, what follows it, and the chord and
    /// group that the chord itself is a member of.
    private func prepare(
        _ body: inout Signature, of chord: inout Signature, group: String
    ) -> ResultNode {
        for callback in chord.list("link") { body.link(callback) }
        for errback in chord.list("link_error") {
            if body.isGroup { body.linkError(errback) } else { body.add(errback, to: "link_error") }
        }
        let tail = chord.list("chain")
        let outer = given(chord.options["chord"])
        for key in ["link", "link_error", "chain", "chord", "task_id", "countdown", "eta"] {
            chord.options[key] = nil
        }
        for (key, value) in chord.options where key != "parent_id" {
            if key == "group_id", body.options["group_id"] != nil { continue }
            body.options[key] = value
        }
        if !tail.isEmpty { body.options["chain"] = .array(tail) }
        if let outer { body.options["chord"] = outer }
        let result = freezer.freeze(
            &body,
            CanvasFreezer.Place(
                id: body.taskID ?? newID(), groupID: group,
                rootID: body.options["root_id"]?.stringValue))
        if body.isChain { body.options["task_id"] = .string(result.id) }
        return result
    }

    private func given(_ value: JSONValue?) -> JSONValue? {
        guard let value, !value.isNull else { return nil }
        return value
    }
}
