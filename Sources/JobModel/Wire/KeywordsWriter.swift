/// Writes payloads as the bodies of messages, and as Python shows such arguments, with no JSON value in
/// between.
///
/// It serves one call, payload after payload, on one thread, and keeps its memory meanwhile.
package final class KeywordsWriter {
    /// What was written last.
    private(set) var written = WrittenKeywords()
    private let hasMembers: Bool

    /// Makes a writer for payloads of one type.
    package init(for type: any Encodable.Type) { hasMembers = !(type is any JSONScalar.Type) }

    /// Writes what `payload` encodes; false when it does not write named members one after the other,
    /// each once, as nearly all do, and has to become a JSON value first.
    ///
    /// - Throws: what the payload's own `encode(to:)` throws.
    package func write(_ payload: some Encodable) throws -> Bool {
        guard hasMembers else { return false }
        written.begin()
        try payload.encode(to: KeywordsEncoder(writer: self))
        written.end()
        return written.isWhole
    }

    /// Writes arguments that are there as values.
    package func write(_ kwargs: JSONObject) { written.replace(by: kwargs) }

    fileprivate func add(_ value: JSONValue, _ name: String) { written.add(value, name) }

    /// For a payload that has to become a JSON value: takes what it still wants to write, for nothing.
    fileprivate func giveUp() -> JSONValueEncoder {
        written.isWhole = false
        return JSONValueEncoder(node: JSONNode(), codingPath: [])
    }
}

/// The text of one payload, and what is known from those before it.
struct WrittenKeywords {
    /// What stands before the value of a member, the comma before it included.
    private struct Beginning {
        let name: String
        let json: [UInt8]
        let repr: PythonRepr

        init(_ name: String, isFirst: Bool) {
            self.name = name
            var json: [UInt8] = []
            if !isFirst { json.append(literal: ", ") }
            json.append(jsonString: name)
            json.append(literal: ": ")
            self.json = json
            var repr = PythonRepr()
            repr.append(key: name, isFirst: isFirst)
            self.repr = repr
        }
    }

    /// The body, with the arguments by their names.
    private(set) var body: [UInt8] = []
    /// The arguments for logs and monitors.
    private(set) var repr = PythonRepr()
    /// Whether all of the payload could be written.
    fileprivate(set) var isWhole = true
    private var members = 0
    /// Of the members in their order, which is nearly always that of the payload before.
    private var beginnings: [Beginning] = []

    fileprivate mutating func begin() {
        clear()
        body.append(UInt8(ascii: "{"))
        repr.append("{")
    }

    fileprivate mutating func end() {
        body.append(UInt8(ascii: "}"))
        body.append(literal: OutgoingMessage.plainEnding)
        repr.append("}")
    }

    fileprivate mutating func replace(by kwargs: JSONObject) {
        clear()
        body.append(json: kwargs, .python)
        body.append(literal: OutgoingMessage.plainEnding)
        repr.append(kwargs)
    }

    private mutating func clear() {
        isWhole = true
        members = 0
        body.removeAll(keepingCapacity: true)
        body.append(literal: OutgoingMessage.keywordsOpening)
        repr.removeAll()
    }

    fileprivate mutating func add(_ value: JSONValue, _ name: String) {
        guard knows(name) else {
            isWhole = false
            return
        }
        body.append(contentsOf: beginnings[members].json)
        body.append(json: value, .python)
        repr.append(contentsOf: beginnings[members].repr)
        repr.append(value)
        members += 1
    }

    /// Makes sure that the next beginning is that of `name`; false for a name that came before, and
    /// for names too many to look for it.
    private mutating func knows(_ name: String) -> Bool {
        guard members < JSONObject.unindexedMembers else { return false }
        if members < beginnings.count, beginnings[members].name.hasSameCodePoints(as: name) {
            return true
        }
        beginnings.removeLast(beginnings.count - members)
        guard !beginnings.contains(where: { $0.name.hasSameCodePoints(as: name) }) else {
            return false
        }
        beginnings.append(Beginning(name, isFirst: members == 0))
        return true
    }
}

/// Encodes the payload itself.
private struct KeywordsEncoder: Encoder {
    let writer: KeywordsWriter

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(KeywordsEncoding(writer: writer))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { writer.giveUp().unkeyedContainer() }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        writer.giveUp().singleValueContainer()
    }
}

/// Encodes the members of the payload; what is inside of one becomes a JSON value.
private struct KeywordsEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let writer: KeywordsWriter

    var codingPath: [any CodingKey] { [] }

    mutating func encodeNil(forKey key: Key) { writer.add(.null, key.stringValue) }

    // The usual types need not be told apart at run time.

    mutating func encode(_ value: Bool, forKey key: Key) { writer.add(value.json, key.stringValue) }

    mutating func encode(_ value: Int, forKey key: Key) { writer.add(value.json, key.stringValue) }

    mutating func encode(_ value: Double, forKey key: Key) {
        writer.add(value.json, key.stringValue)
    }

    mutating func encode(_ value: String, forKey key: Key) {
        writer.add(value.json, key.stringValue)
    }

    mutating func encode(_ value: some Encodable, forKey key: Key) throws {
        let node = JSONNode()
        try JSONValueEncoder.encode(value, into: node, at: [key])
        writer.add(node.json, key.stringValue)
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        writer.giveUp().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        writer.giveUp().unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { writer.giveUp() }

    mutating func superEncoder(forKey key: Key) -> any Encoder { writer.giveUp() }
}
