/// A call to all workers to agree on one that does something, as `app.control.election` causes.
///
/// Each Python worker that hears of the election makes such a call, and counts answers until they
/// are as many as the workers it sees alive. Then the call with the lowest logical time wins.
package struct ElectionCall: Sendable, Equatable {
    /// The routing key of the calls.
    package static let routingKey = "worker.elect"
    /// The longest message that is read.
    package static let maximumBytes = 65_536
    private static let maximumIDBytes = 255
    private static let maximumDepth = 32

    /// What the answer names.
    package let id: String
    /// The logical time of the call.
    package let clock: Int?
    /// What is to be done: passed on, never looked at.
    package let topic: JSONValue
    package let action: JSONValue
    /// Whether a worker like this one made it, which counts no answers.
    package let isOurs: Bool

    /// The calls in a message of the exchange for events; none in one that cannot be read.
    package static func all(in envelope: [UInt8]) -> [ElectionCall] {
        guard envelope.count <= maximumBytes, let root = json(envelope),
            let text = root["body"]?.stringValue
        else { return [] }
        let isPlain = root["properties"]?["body_encoding"]?.stringValue != "base64"
        let bytes = Array(text.utf8)
        guard let content = isPlain ? bytes : Base64.decoded(bytes.span),
            let body = json(content)
        else { return [] }
        return (body.arrayValue ?? [body]).compactMap(ElectionCall.init)
    }

    private static func json(_ bytes: [UInt8]) -> JSONValue? {
        try? JSONParser.parse(bytes.span, depth: maximumDepth).0
    }

    private init?(_ event: JSONValue) {
        guard event["type"] == "worker-elect", let id = event["id"]?.stringValue, !id.isEmpty,
            id.utf8.count <= Self.maximumIDBytes
        else { return nil }
        self.id = id
        clock = event["clock"]?.intValue
        topic = event["topic"] ?? .null
        action = event["action"] ?? .null
        isOurs = event["sw_ident"]?.stringValue == WorkerBeat.software
    }
}
