package import Foundation

/// What follows from the end of a job, for its own workflow.
package struct CanvasConclusion: Sendable, Equatable {
    /// Written in the step that settles it.
    package var aftermath = Aftermath()
    /// The results of what is sent, as Celery's tuples: the children in the job's record.
    package var children: [JSONValue] = []

    package init() {}
}

extension CanvasPublisher {
    /// How often tasks may take each other's place, one after the other.
    package static let maximumReplacements = 1000

    /// After success: callbacks, the next step of the chain, the part in the chord.
    ///
    /// - Throws: ``CanvasError`` when one of them cannot be written: then the job has failed.
    package func conclusion(
        ofSuccess value: JSONValue, of task: CanvasTask
    ) throws(CanvasError) -> CanvasConclusion {
        var conclusion = CanvasConclusion()
        for callback in grouped(task.callbacks) {
            try send(callback, args: [value], into: &conclusion)
        }
        if let next = task.chain.last {
            try send(
                next, args: [value], with: ["chain": .array(task.chain.dropLast().map(\.json))],
                into: &conclusion)
        }
        conclusion.aftermath.parts = task.part(.success, value)
        return conclusion
    }

    /// After a success whose callbacks and next step are known to have been sent: the part in the
    /// chord, which counts once.
    package func conclusion(ofPart value: JSONValue, of task: CanvasTask) -> CanvasConclusion {
        var conclusion = CanvasConclusion()
        conclusion.aftermath.parts = task.part(.success, value)
        return conclusion
    }

    /// Several callbacks are sent as a group; groups among them each on their own.
    private func grouped(_ callbacks: [Signature]) -> [Signature] {
        guard callbacks.count > 1 else { return callbacks }
        let plain = callbacks.filter { !$0.isGroup }
        return callbacks.filter(\.isGroup) + (plain.isEmpty ? [] : [.group(plain)])
    }

    /// After a failure for good: the part in the chord, the failure of what would have followed, the
    /// error callbacks.
    ///
    /// An error callback that cannot be written is left out: the failure itself must be recorded.
    package func conclusion(
        ofFailure exception: JSONValue, traceback: String?, of task: CanvasTask, at date: Date
    ) -> CanvasConclusion {
        var conclusion = CanvasConclusion()
        conclusion.aftermath.parts = task.part(.failure, exception)
        fail(task.chain, exception, traceback, of: task, at: date, in: &conclusion.aftermath)
        _ = callErrbacks(
            task.errbacks, request: request(of: task), exception, traceback,
            in: &conclusion.aftermath)
        return conclusion
    }

    /// After a revocation: the part in the chord.
    package func conclusion(
        ofRevocation exception: JSONValue, of task: CanvasTask
    ) -> CanvasConclusion {
        var conclusion = CanvasConclusion()
        conclusion.aftermath.parts = task.part(.revoked, exception)
        return conclusion
    }

    /// Another job takes the place of `task`.
    ///
    /// It gets its id, its callbacks, its chord, its stamps, the rest of its chain, and the headers
    /// by which the end of a schedule's job is told.
    ///
    /// - Throws: ``CanvasError``: an empty chain, too many replacements in a row.
    package func conclusion(
        ofReplacing task: CanvasTask, with replacement: Signature
    ) throws(CanvasError) -> CanvasConclusion {
        guard task.replacements < Self.maximumReplacements else {
            throw CanvasError(
                code: "canvas.replaced_too_often",
                message: "the job took another's place \(Self.maximumReplacements) times in a row")
        }
        var new = try Self.withOneResult(replacement).stamped(task.stamps)
        for callback in task.callbacks { new.link(callback.json) }
        for errback in task.errbacks { new.linkError(errback.json) }
        if case .chain(var steps) = new.shape {
            for callback in new.list("link") { steps[steps.count - 1].add(callback, to: "link") }
            new.options["link"] = nil
            new.shape = .chain(steps)
        }
        if new.isTask { new.options["task_id"] = nil }
        _ = freezer.freeze(&new, CanvasFreezer.Place(id: task.id.text))
        if let tick = task.tick { new.headLast(tick.headers) }
        new.options["root_id"] = .string(task.rootID)
        let nesting = JSONValue.number(JSONNumber(task.replacements + 1))
        new = new.withEach("replaced_task_nesting", nesting)
        if task.chain.isEmpty {
            new.options["chord"] = task.chord?.json
            new.options["group_id"] = task.groupID.map(JSONValue.string)
            new.options["group_index"] = task.groupIndex.isNull ? nil : task.groupIndex
        } else {
            new = Self.joined(
                new, task.chain.reversed().map { $0.with("replaced_task_nesting", nesting) })
        }
        var conclusion = CanvasConclusion()
        try send(new, into: &conclusion)
        return conclusion
    }

    /// A group has many results and its place one: its members' are collected.
    private static func withOneResult(_ signature: Signature) throws(CanvasError) -> Signature {
        let collect = Signature("celery.accumulate", kwargs: ["index": 0])
        switch signature.shape {
        case .group(let members):
            var chord = Signature.chord(members, body: collect)
            chord.headerOptions = signature.options
            return chord
        case .chain(var steps):
            guard let last = steps.last else {
                throw CanvasError(
                    code: "canvas.empty", message: "Cannot replace with an empty chain")
            }
            if case .group(let members) = last.shape {
                steps[steps.count - 1] = .chord(members, body: collect)
                steps[steps.count - 1].headerOptions = last.options
            }
            var chain = signature
            chain.shape = .chain(steps)
            return chain
        case .task, .chord: return signature
        }
    }

    /// `first`, and then the rest of a chain whose ids stay.
    private static func joined(_ first: Signature, _ rest: [Signature]) -> Signature {
        guard case .chain(var steps) = first.shape else { return .chain([first] + rest) }
        for errback in first.list("link_error") {
            for index in steps.indices { steps[index].add(errback, to: "link_error") }
        }
        return .chain(steps + rest)
    }

    // MARK: Parts

    private func send(
        _ signature: Signature, args: [JSONValue] = [], with options: JSONObject = JSONObject(),
        into conclusion: inout CanvasConclusion
    ) throws(CanvasError) {
        let result = try send(
            signature, args: args, with: options, into: &conclusion.aftermath.publication)
        if let result { conclusion.children.append(result.tuple) }
    }

    /// What will not run any more fails with what came before it, so that nobody waits for it: not
    /// its caller, and not the chord that it is a member of.
    func fail(
        _ chain: [Signature], _ exception: JSONValue, _ traceback: String?, of task: CanvasTask?,
        at date: Date, in aftermath: inout Aftermath
    ) {
        var waiting = chain[...]
        while let step = waiting.popFirst() {
            if case .chord(_, let body) = step.shape { waiting.append(body) }
            guard let id = step.taskID else { continue }
            let group = step.options["group_id"]?.stringValue
            aftermath.records.append(
                ResultRecord(
                    state: .failure, id: JobID(id), result: exception, traceback: traceback,
                    groupID: group, parentID: step.options["parent_id"]?.stringValue,
                    dateDone: date))
            guard let group, let json = step.options["chord"], let body = try? Signature(json: json)
            else { continue }
            aftermath.parts.append(
                ChordPart(
                    group: group, id: JobID(id),
                    index: step.options["group_index"]?.doubleValue, state: .failure,
                    value: exception,
                    chord: PendingChord(
                        body: body, rootID: task?.rootID ?? rootID, parentID: id),
                    isOnlyFirstFailure: true))
        }
    }

    /// Sends error callbacks: with the failed id, as a group; those that this fleet's Swift workers
    /// know as handlers of failures, with the request, the exception and the traceback.
    func callErrbacks(
        _ errbacks: [Signature], request: JSONObject, _ exception: JSONValue,
        _ traceback: String?, in aftermath: inout Aftermath
    ) -> [JSONValue] {
        guard !errbacks.isEmpty, let id = request["id"] else { return [] }
        var publisher = self
        publisher.parentID = id.stringValue
        publisher.rootID = request["root_id"]?.stringValue ?? id.stringValue
        for errback in errbacks where rules.failureHandlers.contains(errback.name) {
            var call = errback
            call.isImmutable = false
            let told: [JSONValue] = [
                .object(request), exception, traceback.map(JSONValue.string) ?? .null,
            ]
            _ = try? publisher.send(
                call, args: told, into: &aftermath.publication)
        }
        let remote = errbacks.filter { !rules.failureHandlers.contains($0.name) }
        guard !remote.isEmpty,
            let group = try? publisher.send(
                .group(remote), args: [id], into: &aftermath.publication)
        else { return [] }
        return [group.tuple]
    }

    private func request(of task: CanvasTask) -> JSONObject {
        [
            "id": .string(task.id.text), "task": .string(task.name.text),
            "root_id": .string(task.rootID),
            "group": task.groupID.map(JSONValue.string) ?? .null,
        ]
    }
}

extension Signature {
    /// Adds headers to the job whose result is that of the whole.
    fileprivate mutating func headLast(_ headers: JSONObject) {
        switch shape {
        case .task: self = self.headers(headers)
        case .chain(var steps):
            guard !steps.isEmpty else { return }
            steps[steps.count - 1].headLast(headers)
            shape = .chain(steps)
        case .chord(let header, var body):
            body.headLast(headers)
            shape = .chord(header: header, body: body)
        case .group: break
        }
    }

    /// The same option on it, and on the steps of a chain.
    fileprivate func withEach(_ option: String, _ value: JSONValue) -> Signature {
        var copy = with(option, value)
        if case .chain(let steps) = copy.shape {
            copy.shape = .chain(steps.map { $0.with(option, value) })
        }
        return copy
    }
}
