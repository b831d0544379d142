/// Encodes `Encodable` types into a JSON value, with kombu's typed forms for Date, Decimal, UUID
/// and Data.
struct JSONValueEncoder: Encoder {
    let node: JSONNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.becomeObject()
        return KeyedEncodingContainer(JSONMembersEncoding(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.becomeArray()
        return JSONItemsEncoding(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        JSONSingleEncoding(node: node, codingPath: codingPath)
    }

    /// Encodes one value of any type; the one place where types are told apart.
    static func encode(
        _ value: some Encodable, into node: JSONNode, at path: [any CodingKey]
    ) throws {
        if let scalar = value as? any JSONScalar {
            node.content = .value(scalar.json)
        } else {
            try value.encode(to: JSONValueEncoder(node: node, codingPath: path))
        }
    }
}

/// A JSON value in the making; shared by the encoder and its containers, on one thread.
final class JSONNode {
    /// What has been written so far.
    enum Content {
        case nothing
        case value(JSONValue)
        case array
        case object
    }

    /// One item or member: finished, or with a container that may still write to it.
    private enum Part {
        case value(JSONValue)
        case node(JSONNode)

        var json: JSONValue {
            switch self {
            case .value(let value): value
            case .node(let node): node.json
            }
        }
    }

    var content = Content.nothing
    private var items: [Part] = []
    private var members: [(key: String, part: Part)] = []

    /// The finished value; what wrote nothing is an empty object, as an empty struct.
    var json: JSONValue {
        switch content {
        case .nothing: return .object(JSONObject())
        case .value(let value): return value
        case .array: return .array(items.map(\.json))
        case .object:
            var object = JSONObject()
            for (key, part) in members { object[key] = part.json }
            return .object(object)
        }
    }

    /// How many items a list has so far.
    var count: Int { if case .array = content { items.count } else { 0 } }

    func becomeObject() {
        if case .object = content { return }
        content = .object
        members = []
    }

    func becomeArray() {
        if case .array = content { return }
        content = .array
        items = []
    }

    /// A new item at the end of the list.
    func item() -> JSONNode {
        let node = JSONNode()
        items.append(.node(node))
        return node
    }

    /// A new member of the object.
    func member(_ key: String) -> JSONNode {
        let node = JSONNode()
        members.append((key, .node(node)))
        return node
    }

    /// A new member of the object that is finished.
    func add(_ value: JSONValue, _ key: String) { members.append((key, .value(value))) }
}

/// Encodes a value that is not divided.
struct JSONSingleEncoding: SingleValueEncodingContainer {
    let node: JSONNode
    let codingPath: [any CodingKey]

    mutating func encodeNil() { node.content = .value(.null) }

    mutating func encode(_ value: some Encodable) throws {
        try JSONValueEncoder.encode(value, into: node, at: codingPath)
    }
}

/// Encodes a list, item by item.
struct JSONItemsEncoding: UnkeyedEncodingContainer {
    let node: JSONNode
    let codingPath: [any CodingKey]

    var count: Int { node.count }

    private var path: [any CodingKey] { codingPath + [JSONKey(index: count)] }

    mutating func encodeNil() { node.item().content = .value(.null) }

    mutating func encode(_ value: some Encodable) throws {
        let path = path
        try JSONValueEncoder.encode(value, into: node.item(), at: path)
    }

    mutating func nestedContainer<Key: CodingKey>(
        keyedBy type: Key.Type
    ) -> KeyedEncodingContainer<Key> {
        superEncoder().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        superEncoder().unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder {
        let path = path
        return JSONValueEncoder(node: node.item(), codingPath: path)
    }
}

/// Encodes values with names.
struct JSONMembersEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONNode
    let codingPath: [any CodingKey]

    mutating func encodeNil(forKey key: Key) { node.add(.null, key.stringValue) }

    // The usual types need not be told apart at run time.

    mutating func encode(_ value: Bool, forKey key: Key) { node.add(value.json, key.stringValue) }

    mutating func encode(_ value: Int, forKey key: Key) { node.add(value.json, key.stringValue) }

    mutating func encode(_ value: Double, forKey key: Key) {
        node.add(value.json, key.stringValue)
    }

    mutating func encode(_ value: String, forKey key: Key) {
        node.add(value.json, key.stringValue)
    }

    mutating func encode(_ value: some Encodable, forKey key: Key) throws {
        try JSONValueEncoder.encode(
            value, into: node.member(key.stringValue), at: codingPath + [key])
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoder(key).container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder(key).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { encoder(JSONKey.superclass) }

    mutating func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }

    private func encoder(_ key: any CodingKey) -> JSONValueEncoder {
        JSONValueEncoder(node: node.member(key.stringValue), codingPath: codingPath + [key])
    }
}
