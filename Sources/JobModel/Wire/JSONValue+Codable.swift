extension JSONValue {
    /// Encodes any `Encodable`, with kombu's typed forms for Date, Decimal, UUID and Data.
    ///
    /// - Throws: what the value's own `encode(to:)` throws.
    public init(encoding value: some Encodable) throws {
        let node = JSONNode()
        try JSONValueEncoder.encode(value, into: node, at: [])
        self = node.json
    }

    /// Decodes any `Decodable`, with kombu's typed forms for Date, Decimal, UUID and Data.
    ///
    /// - Throws: `DecodingError` whose path names the value that does not fit, or what the type's
    ///   own `init(from:)` throws.
    public func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        try JSONValueDecoder.decode(type, from: self, at: [])
    }

    /// Reads JSON text.
    ///
    /// - Parameters:
    ///   - text: UTF-8; `NaN`, `Infinity` and `-Infinity` are accepted.
    ///   - depth: the deepest nesting of lists and objects, at most 512.
    ///   - limit: the largest text that is read, bytes.
    /// - Throws: `JSONError`.
    package init(
        parsing text: [UInt8], depth: Int = WireLimits().depth,
        limit: Int = WireLimits().envelopeBytes
    ) throws(JSONError) {
        guard text.count <= limit else {
            throw JSONError(
                code: .size, message: "the JSON text is longer than \(limit) bytes", offset: limit)
        }
        self = try JSONParser.parse(text.span, depth: depth).0
    }
}

extension JSONValue: Codable {
    /// Decodes a value; other decoders than this module's lose the text of numbers.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? JSONValueDecoder {
            self = decoder.value
            return
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .bool(flag)
        } else if let integer = try? container.decode(Int64.self) {
            self = .number(JSONNumber(integer))
        } else if let number = try? container.decode(Double.self) {
            self = .number(JSONNumber(number))
        } else if let text = try? container.decode(String.self) {
            self = .string(text)
        } else if let items = try? container.decode([JSONValue].self) {
            self = .array(items)
        } else {
            let members = try container.decode([String: JSONValue].self)
            self = .object(
                JSONObject(members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
        }
    }

    /// Encodes the value; other encoders than this module's lose the text of numbers.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let flag): try container.encode(flag)
        case .number(let number):
            if let integer = number.intValue {
                try container.encode(integer)
            } else {
                try container.encode(number.doubleValue)
            }
        case .string(let text): try container.encode(text)
        case .array(let items): try container.encode(items)
        case .object(let members):
            let pairs = members.map { ($0.key, $0.value) }
            try container.encode(Dictionary(pairs) { _, last in last })
        }
    }
}
