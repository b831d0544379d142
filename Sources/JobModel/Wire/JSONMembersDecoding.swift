/// Where a keyed container finds its values: an object, or the arguments of a call.
protocol JSONMembers {
    /// The value under `key`, if there is one.
    func value(for key: String) -> JSONValue?

    /// The keys that are known beforehand.
    var keys: [String] { get }
}

extension JSONObject: JSONMembers {
    func value(for key: String) -> JSONValue? { self[key] }
}

/// Decodes from values with names.
struct JSONMembersDecoding<Members: JSONMembers, Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: Members
    let codingPath: [any CodingKey]

    var allKeys: [Key] { members.keys.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { members.value(for: key.stringValue) != nil }

    private func value(_ key: any CodingKey) throws -> JSONValue {
        guard let value = members.value(for: key.stringValue) else {
            throw DecodingError.absent(key, at: codingPath)
        }
        return value
    }

    func decodeNil(forKey key: Key) throws -> Bool { try value(key).isNull }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try JSONValueDecoder.decode(type, from: try value(key), at: codingPath + [key])
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try decoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try decoder(JSONKey.superclass) }

    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }

    private func decoder(_ key: any CodingKey) throws -> JSONValueDecoder {
        JSONValueDecoder(value: try value(key), codingPath: codingPath + [key])
    }
}
