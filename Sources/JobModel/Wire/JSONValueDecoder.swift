/// Decodes `Decodable` types from a JSON value, with kombu's typed forms for Date, Decimal, UUID
/// and Data.
///
/// Errors are `DecodingError` whose `debugDescription` completes a sentence about the value at
/// `codingPath` ("must be an integer, not a string") and whose `underlyingError` is a
/// `JSONProblem`; they never quote the value.
struct JSONValueDecoder: Decoder {
    let value: JSONValue
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let members) = value else {
            throw DecodingError.problem(.mismatch("an object", value), at: codingPath)
        }
        return KeyedDecodingContainer(JSONMembersDecoding(members: members, codingPath: codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let items) = value else {
            throw DecodingError.problem(.mismatch("a list", value), at: codingPath)
        }
        return JSONItemsDecoding(items: items, codingPath: codingPath)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        JSONSingleDecoding(value: value, codingPath: codingPath)
    }

    /// Decodes one value of any type; the one place where types are told apart.
    static func decode<Value: Decodable>(
        _ type: Value.Type, from value: JSONValue, at path: [any CodingKey]
    ) throws -> Value {
        guard let scalar = type as? any JSONScalar.Type else {
            return try Value(from: JSONValueDecoder(value: value, codingPath: path))
        }
        do throws(JSONProblem) {
            if let result = try scalar.reading(value) as? Value { return result }
            throw JSONProblem("has a type that cannot be decoded")
        } catch {
            throw DecodingError.problem(error, at: path)
        }
    }
}

extension DecodingError {
    /// The error for a value that does not fit.
    static func problem(_ problem: JSONProblem, at path: [any CodingKey]) -> DecodingError {
        .dataCorrupted(
            Context(
                codingPath: path, debugDescription: problem.message, underlyingError: problem))
    }

    /// The error for a member or item that is not there.
    static func absent(_ key: any CodingKey, at path: [any CodingKey]) -> DecodingError {
        let problem = JSONProblem("has no \"\(key.stringValue)\"")
        return .keyNotFound(
            key,
            Context(
                codingPath: path, debugDescription: problem.message, underlyingError: problem))
    }
}

/// A place in a list, or the key of a superclass.
struct JSONKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(index: Int) {
        stringValue = "[\(index)]"
        intValue = index
    }

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init?(intValue: Int) { self.init(index: intValue) }

    static let superclass = JSONKey(stringValue: "super")
}

/// Decodes from a value that is not divided.
struct JSONSingleDecoding: SingleValueDecodingContainer {
    let value: JSONValue
    let codingPath: [any CodingKey]

    func decodeNil() -> Bool { value.isNull }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONValueDecoder.decode(type, from: value, at: codingPath)
    }
}

/// Decodes from a list, item by item.
struct JSONItemsDecoding: UnkeyedDecodingContainer {
    let items: [JSONValue]
    let codingPath: [any CodingKey]
    private(set) var currentIndex = 0

    init(items: [JSONValue], codingPath: [any CodingKey]) {
        self.items = items
        self.codingPath = codingPath
    }

    var count: Int? { items.count }
    var isAtEnd: Bool { currentIndex >= items.count }

    private var path: [any CodingKey] { codingPath + [JSONKey(index: currentIndex)] }

    private func current() throws -> JSONValue {
        guard !isAtEnd else {
            let problem = JSONProblem("has too few items")
            throw DecodingError.problem(problem, at: codingPath)
        }
        return items[currentIndex]
    }

    mutating func decodeNil() throws -> Bool {
        guard try current().isNull else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let value = try JSONValueDecoder.decode(type, from: try current(), at: path)
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        try superDecoder().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try superDecoder().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder {
        let decoder = JSONValueDecoder(value: try current(), codingPath: path)
        currentIndex += 1
        return decoder
    }
}
