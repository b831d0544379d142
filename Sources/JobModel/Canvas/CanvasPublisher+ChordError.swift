package import Foundation

extension CanvasPublisher {
    /// A chord has failed because a member has.
    ///
    /// - Parameters:
    ///   - chord: the chord, with its body.
    ///   - part: the member.
    ///   - exception: the member's exception, as its record has it.
    ///   - date: when that is.
    /// - Returns: what is written instead of sending the body.
    package func chordError(
        of chord: PendingChord, part: JobID, exception: JSONValue, at date: Date
    ) -> Aftermath {
        let text = "Dependency \(part) raised \(Self.repr(exception))"
        return chordError(of: chord, text: text, cause: exception, at: date)
    }

    /// A chord has failed for another reason: its parts cannot be joined, its body cannot be sent.
    package func chordError(
        of chord: PendingChord, text: String, at date: Date
    ) -> Aftermath {
        chordError(of: chord, text: text, cause: nil, at: date)
    }

    /// The body fails without having run: its error callbacks are called, its record is written,
    /// what would have followed it fails, and so does the chord that it is itself a member of.
    private func chordError(
        of chord: PendingChord, text: String, cause: JSONValue?, at date: Date
    ) -> Aftermath {
        var publisher = self
        publisher.rootID = chord.rootID
        publisher.parentID = chord.parentID
        let exception = PythonException.chordError.json(text)
        var aftermath = Aftermath()
        var body = chord.body
        switch body.shape {
        case .group:
            publisher.failMembers(of: &body, cause ?? exception, at: date, in: &aftermath)
        case .task, .chain, .chord:
            publisher.failBody(
                body, exception, sparing: cause?[Self.calledErrbacks]?.arrayValue ?? [], at: date,
                in: &aftermath)
        }
        let tail = (try? Signature.signatures(body.options["chain"], "chain")) ?? []
        fail(tail, exception, nil, of: nil, at: date, in: &aftermath)
        return aftermath
    }

    /// Beside the exception in the part of a chord that failed within another: the error callbacks
    /// that were called for it.
    ///
    /// Celery links an error callback of a chord to the chords in its header as well, and one failure
    /// is told once.
    private static let calledErrbacks = "backhaul_errbacks"

    private func failBody(
        _ body: Signature, _ exception: JSONValue, sparing called: [JSONValue], at date: Date,
        in aftermath: inout Aftermath
    ) {
        let id = body.taskID ?? freezer.newID()
        let linked = body.list("link_error")
        let errbacks = linked.filter { !called.contains($0) }.compactMap {
            try? Signature(json: $0)
        }
        let request: JSONObject = [
            "id": .string(id), "task": .string(body.name.text),
            "root_id": rootID.map(JSONValue.string) ?? .null,
        ]
        let children = callErrbacks(errbacks, request: request, exception, nil, in: &aftermath)
        aftermath.records.append(
            ResultRecord(
                state: .failure, id: JobID(id), result: exception, dateDone: date,
                children: children))
        // Celery leaves an outer chord waiting for ever here.
        let member = body.resultCarrier
        guard let json = body.options["chord"] ?? member.options["chord"],
            let group = (member.options["group_id"] ?? body.options["group_id"])?.stringValue,
            let outer = try? Signature(json: json)
        else { return }
        var value = exception.objectValue ?? JSONObject()
        value[Self.calledErrbacks] = .array((called + linked).unique)
        aftermath.parts.append(
            ChordPart(
                group: group, id: JobID(id), index: member.options["group_index"]?.doubleValue,
                state: .failure, value: .object(value),
                chord: PendingChord(body: outer, rootID: rootID, parentID: id),
                isOnlyFirstFailure: true))
    }

    /// The members of a body that is a group fail with what the failed part raised.
    private func failMembers(
        of body: inout Signature, _ exception: JSONValue, at date: Date,
        in aftermath: inout Aftermath
    ) {
        let own = body.list("link_error")
        let frozen = freezer.freeze(
            &body, CanvasFreezer.Place(groupID: body.options["group_id"]?.stringValue))
        guard case .group(let members) = body.shape else { return }
        for (member, result) in zip(members, frozen.children ?? []) {
            let errbacks = (member.resultErrbacks + own).unique.compactMap {
                try? Signature(json: $0)
            }
            let children = callErrbacks(
                errbacks, request: ["id": .string(result.id)], exception, nil, in: &aftermath)
            aftermath.records.append(
                ResultRecord(
                    state: .failure, id: JobID(result.id), result: exception, dateDone: date,
                    children: children))
        }
        aftermath.records.append(
            ResultRecord(state: .failure, id: JobID(frozen.id), result: exception, dateDone: date))
    }

    /// An exception as Python shows it: `ValueError('boom', 42)`.
    package static func repr(_ exception: JSONValue) -> String {
        let type = exception["exc_type"]?.stringValue ?? "Exception"
        let name = type.split(separator: ".").last.map(String.init) ?? type
        let arguments: [JSONValue] =
            switch exception["exc_message"] {
            case .array(let items)?: items
            case nil, .null?: []
            case let single?: [single]
            }
        var text = PythonRepr.tuple(arguments)
        if arguments.count == 1, text.hasSuffix(",)") { text = text.dropLast(2) + ")" }
        return name + text
    }
}
