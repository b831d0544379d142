/// What a message says of the workflow that its job is a part of.
package struct CanvasTask: Sendable {
    package let id: JobID
    package let name: JobName
    /// The first task of the workflow, itself when there is none.
    package let rootID: String
    package let groupID: String?
    package let groupIndex: JSONValue
    /// Sent with the result.
    package let callbacks: [Signature]
    /// Sent when it fails for good.
    package let errbacks: [Signature]
    /// What follows, the next step last.
    package let chain: [Signature]
    /// The body of the chord that it is a member of.
    package let chord: Signature?
    /// How many times it took the place of another.
    package let replacements: Int
    /// Its stamps by name.
    package let stamps: JSONObject
    /// The tick that it was sent for, if a schedule sent it.
    package let tick: TickOrigin?

    /// Reads the canvas parts of a message; `nil` when it has none, as most have.
    ///
    /// - Throws: ``CanvasError`` `canvas.malformed`, naming the part.
    package init?(_ message: JobMessage, _ body: MessageBody) throws(CanvasError) {
        guard message.groupID != nil || body.embed.hasMember(where: { !Self.isNothing($0) })
        else { return nil }
        try self.init(reading: message, body)
    }

    /// Reads the canvas parts of a message that may have none.
    ///
    /// - Throws: ``CanvasError`` `canvas.malformed`, naming the part.
    package init(reading message: JobMessage, _ body: MessageBody) throws(CanvasError) {
        id = message.id
        name = message.name
        rootID = message.rootID ?? message.id.text
        groupID = message.groupID
        tick = message.tick
        callbacks = try Signature.signatures(body.embed["callbacks"], "callbacks")
        errbacks = try Signature.signatures(body.embed["errbacks"], "errbacks")
        chain = try Signature.signatures(body.embed["chain"], "chain")
        chord = try Self.chord(body.embed["chord"])
        let request = JobRequest(message)
        groupIndex = request.groupIndex
        replacements = request.replacements
        stamps = request.stamps
    }

    private static func chord(_ value: JSONValue?) throws(CanvasError) -> Signature? {
        guard let value, !value.isNull else { return nil }
        return try Signature(json: value)
    }

    private static func isNothing(_ value: JSONValue) -> Bool {
        switch value {
        case .null: true
        case .array(let items): items.isEmpty
        default: false
        }
    }

    /// Its part in its chord, if it is in one.
    func part(_ state: ResultRecord.State, _ value: JSONValue) -> [ChordPart] {
        guard let chord, let groupID else { return [] }
        return [
            ChordPart(
                group: groupID, id: id, index: groupIndex.doubleValue, state: state, value: value,
                chord: PendingChord(body: chord, rootID: rootID, parentID: id.text))
        ]
    }
}
