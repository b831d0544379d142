/// Any JSON value, kept exactly: numbers as their text, objects in their order, and the three bare
/// words `NaN`, `Infinity`, `-Infinity` that Python writes.
public indirect enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// A JSON number as it was written, so that nothing is lost by passing it on.
public struct JSONNumber: Sendable, Hashable {
    /// The digits on the wire.
    public let text: String

    package init(text: String) { self.text = text }
}

/// A JSON object that remembers the order of its keys.
public struct JSONObject: Sendable, Hashable {
    /// Keys and values in order; a key appears once (the last value wins, as in Python).
    public private(set) var keys: [String]
    private var values: [String: JSONValue]

    /// An empty object.
    public init() {
        keys = []
        values = [:]
    }

    /// The value under `key`; setting `nil` removes it, setting a new key appends it.
    public subscript(key: String) -> JSONValue? {
        get { values[key] }
        set {
            if let newValue {
                if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
            } else if values.removeValue(forKey: key) != nil {
                keys.removeAll { $0 == key }
            }
        }
    }

    /// Whether it has no key.
    public var isEmpty: Bool { keys.isEmpty }
}

extension JSONValue {
    /// Encodes any `Encodable`, with kombu's typed forms for Date, Decimal, UUID and Data.
    public init(encoding value: some Encodable) throws {
        preconditionFailure("wire")
    }

    /// The JSON text, with non-ASCII escaped as Python does.
    package func encoded() -> [UInt8] { preconditionFailure("wire") }
}
