/// One member's contribution to a chord.
///
/// Whoever brings the last one sends the body.
package struct ChordPart: Sendable, Equatable {
    /// The chord: the id of the group that is its header.
    package let group: String
    /// The member.
    package let id: JobID
    /// Where the value stands among the others; `nil` is behind all.
    package let index: Double?
    package let state: ResultRecord.State
    /// What the member returned, or its exception.
    package let value: JSONValue
    /// The chord itself, so that its body can be sent.
    package let chord: PendingChord
    /// Whether it counts only if the member's record does not say yet that it failed.
    package let isOnlyFirstFailure: Bool

    package init(
        group: String, id: JobID, index: Double?, state: ResultRecord.State, value: JSONValue,
        chord: PendingChord, isOnlyFirstFailure: Bool = false
    ) {
        self.group = group
        self.id = id
        self.index = index
        self.state = state
        self.value = value
        self.chord = chord
        self.isOnlyFirstFailure = isOnlyFirstFailure
    }

    /// The score among the parts.
    package var score: String {
        guard let index else { return "+inf" }
        return index.rounded() == index ? String(Int64(index)) : String(index)
    }

    /// `[1, "<id>", "<state>", <value>]`, byte for byte as Python writes it.
    package func encoded() -> [UInt8] {
        JSONValue.array([1, .string(id.text), .string(state.name), value]).encoded(.python)
    }
}

/// What is needed to end a chord once all its parts are there.
package struct PendingChord: Sendable, Equatable {
    /// What is sent with the list of results.
    package let body: Signature
    /// The first task of the workflow.
    package let rootID: String?
    /// The member that brought the part.
    package let parentID: String?

    package init(body: Signature, rootID: String?, parentID: String?) {
        self.body = body
        self.rootID = rootID
        self.parentID = parentID
    }

    /// For the record of open chords in Redis.
    package func encoded() -> [UInt8] {
        JSONValue.object([
            "body": body.json, "root_id": rootID.map(JSONValue.string) ?? .null,
            "parent_id": parentID.map(JSONValue.string) ?? .null,
        ]).encoded(.python)
    }

    /// Reads what ``encoded()`` wrote; nil when it is something else.
    package init?(decoding bytes: [UInt8]) {
        guard let json = try? JSONParser.parse(bytes.span, depth: JSONParser.maximumDepth).0,
            let body = json["body"],
            let signature = try? Signature(json: body)
        else { return nil }
        self.init(
            body: signature, rootID: json["root_id"]?.stringValue,
            parentID: json["parent_id"]?.stringValue)
    }
}
