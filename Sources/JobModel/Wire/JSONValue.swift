/// Any JSON value, kept exactly: numbers as their text, objects in their order, and the three bare
/// words `NaN`, `Infinity`, `-Infinity` that Python writes.
///
/// Two values are equal when Python would find them equal, with one exception: numbers are compared
/// by their text, so `1.0` differs from `1`. Strings are compared by their code points and not, as
/// Swift does, by canonical equivalence. The order of an object's keys does not matter.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue: Hashable {
    /// Exact equality but for the order of keys.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left.hasSameCodePoints(as: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }

    /// Hashes what equality compares.
    public func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let flag): hasher.combine(flag)
        case .number(let number): hasher.combine(number)
        case .string(let text): hasher.combine(text)
        case .array(let items): hasher.combine(items)
        case .object(let members): hasher.combine(members)
        }
    }
}

extension String {
    /// Equality of the text as written; `==` on strings also equates composed and decomposed
    /// letters, which Python keeps apart.
    func hasSameCodePoints(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}

/// A JSON number as it was written, so that nothing is lost by passing it on.
public struct JSONNumber: Sendable, Hashable {
    /// The digits on the wire.
    public let text: String

    package init(text: String) { self.text = text }

    /// Writes a whole number.
    public init(_ value: some BinaryInteger) { text = String(value) }

    /// Writes a floating-point number so that reading it gives the same value; the three that JSON
    /// has no digits for are written as Python writes them.
    public init(_ value: Double) {
        if value.isNaN {
            text = "NaN"
        } else if value.isInfinite {
            text = value < 0 ? "-Infinity" : "Infinity"
        } else {
            text = value.description
        }
    }

    /// Whether the text is an integer's: no fraction, no exponent, not one of the bare words.
    public var isInteger: Bool {
        text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) }
    }

    /// The value when it is an integer in the range of `Int`.
    public var intValue: Int? { isInteger ? Int(text) : nil }

    /// The nearest floating-point value.
    public var doubleValue: Double {
        switch text {
        case "NaN": .nan
        case "Infinity": .infinity
        case "-Infinity": -.infinity
        // Every JSON number is a Swift floating-point literal.
        default: Double(text) ?? .nan
        }
    }
}

extension JSONValue {
    /// Whether it is `null`.
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// The flag, when it is `true` or `false`.
    public var boolValue: Bool? { if case .bool(let flag) = self { flag } else { nil } }

    /// The integer, when it is a number without fraction or exponent that fits `Int`.
    public var intValue: Int? {
        if case .number(let number) = self { number.intValue } else { nil }
    }

    /// The number, when it is one.
    public var doubleValue: Double? {
        if case .number(let number) = self { number.doubleValue } else { nil }
    }

    /// The text, when it is a string.
    public var stringValue: String? { if case .string(let text) = self { text } else { nil } }

    /// The items, when it is an array.
    public var arrayValue: [JSONValue]? { if case .array(let items) = self { items } else { nil } }

    /// The members, when it is an object.
    public var objectValue: JSONObject? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The member under `key`, when it is an object that has one.
    public subscript(key: String) -> JSONValue? { objectValue?[key] }

    /// What it is, with its article, for sentences such as "must be an integer, not a string".
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number(let number): number.isInteger ? "an integer" : "a number with a fraction"
        case .string: "a string"
        case .array: "a list"
        case .object(let members): TypedForm.kind(of: members) ?? "an object"
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Makes `null`.
    public init(nilLiteral: ()) { self = .null }
    /// Makes `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Makes an integer.
    public init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }
    /// Makes a number.
    public init(floatLiteral value: Double) { self = .number(JSONNumber(value)) }
    /// Makes a string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// Makes a list.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Makes an object; of equal keys the last value wins.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(elements))
    }
}
