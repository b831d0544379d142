import Foundation

/// kombu's objects for values that JSON lacks: `{"__type__": …, "__value__": …}`.
///
/// A Python worker refuses a message that holds an unknown type, or a value that does not fit its
/// type, and so does this one.
///
/// Source: kombu's JSON codec, as observed on the wire.
enum TypedForm {
    case datetime(Date)
    /// Midnight UTC of a calendar day.
    case date(Date)
    /// A time of day, which Swift has no type for.
    case time(String)
    case decimal(Decimal)
    case uuid(UUID)
    case bytes(Data)

    static let typeKey = "__type__"
    static let valueKey = "__value__"
    private static let maximumDecimalDigits = 38

    /// Reads an object.
    ///
    /// - Returns: `nil` when it has other keys than a typed form's two.
    /// - Throws: `JSONProblem` when the type is unknown or the value does not fit it.
    init?(_ members: JSONObject) throws(JSONProblem) {
        guard members.count == 2, let type = members[Self.typeKey],
            let value = members[Self.valueKey]
        else { return nil }
        guard let name = type.stringValue else {
            throw JSONProblem("has a __type__ that is not a string")
        }
        guard let known = Kind(rawValue: name) else {
            throw JSONProblem("has an unknown __type__")
        }
        guard let form = Self.form(known, value) else {
            throw JSONProblem("has a __value__ that is no \(known.rawValue)")
        }
        self = form
    }

    private enum Kind: String {
        case datetime
        case date
        case time
        case decimal
        case uuid
        case bytes
        case base64
    }

    private static func form(_ kind: Kind, _ value: JSONValue) -> TypedForm? {
        if kind == .uuid { return (value["hex"]?.stringValue).flatMap(uuid(hex:)).map(Self.uuid) }
        guard let text = value.stringValue else { return nil }
        switch kind {
        case .datetime: return WireDate.date(text).map(Self.datetime)
        case .date: return text.utf8.count == 10 ? WireDate.date(text).map(Self.date) : nil
        case .time: return WireDate.isTime(text) ? .time(text) : nil
        case .decimal: return decimal(text).map(Self.decimal)
        case .bytes: return .bytes(Data(text.utf8))
        case .base64: return Base64.decoded(text.utf8.span).map { .bytes(Data($0)) }
        case .uuid: return nil
        }
    }

    /// Refuses unknown types and unfit values anywhere in `value`.
    static func check(_ value: JSONValue) throws(JSONProblem) {
        switch value {
        case .array(let items):
            for item in items { try check(item) }
        case .object(let members):
            if try TypedForm(members) != nil { return }
            for (_, member) in members { try check(member) }
        case .null, .bool, .number, .string:
            return
        }
    }

    /// What an object stands for, with its article; `nil` when it is an ordinary one.
    static func kind(of members: JSONObject) -> String? {
        guard members.count == 2, let type = members[typeKey]?.stringValue,
            members[valueKey] != nil
        else { return nil }
        return switch Kind(rawValue: type) {
        case .datetime: "a datetime"
        case .date: "a date"
        case .time: "a time"
        case .decimal: "a decimal"
        case .uuid: "a UUID"
        case .bytes, .base64: "bytes"
        case nil: "an object of unknown type"
        }
    }

    // MARK: Writing

    static func json(_ date: Date) -> JSONValue { json(.datetime, .string(WireDate.text(date))) }

    static func json(_ decimal: Decimal) -> JSONValue {
        json(.decimal, .string(decimal.isNaN ? "NaN" : decimal.description))
    }

    static func json(_ uuid: UUID) -> JSONValue {
        let hex = uuid.uuidString.lowercased().filter { $0 != "-" }
        return json(.uuid, .object(["hex": .string(hex)]))
    }

    /// Text when the bytes are UTF-8, else base64, as kombu chooses.
    static func json(_ data: Data) -> JSONValue {
        if let text = String(validating: data, as: UTF8.self) { return json(.bytes, .string(text)) }
        return json(.base64, .string(Base64.encoded([UInt8](data))))
    }

    private static func json(_ kind: Kind, _ value: JSONValue) -> JSONValue {
        .object([typeKey: .string(kind.rawValue), valueKey: value])
    }

    // MARK: Parsing

    /// 32 hexadecimal digits; hyphens may stand anywhere, as in Python.
    static func uuid(hex: String) -> UUID? {
        var digits = Array(hex.utf8.filter { $0 != UInt8(ascii: "-") })
        guard digits.count == 32 else { return nil }
        for place in [8, 13, 18, 23] { digits.insert(UInt8(ascii: "-"), at: place) }
        return UUID(uuidString: String(decoding: digits, as: UTF8.self))
    }

    /// Python's `str(Decimal)`, when `Decimal` can hold it exactly.
    static func decimal(_ text: String) -> Decimal? {
        if text == "NaN" { return .nan }
        let bytes = text.utf8.span
        guard bytes.count > 0, let end = bytes.endOfNumber(at: 0), end == bytes.count,
            !text.utf8.contains(UInt8(ascii: "I")), let decimal = Decimal(string: text),
            !decimal.isNaN
        else { return nil }
        let mantissa = text.utf8.prefix { $0 | 0x20 != UInt8(ascii: "e") }
        let digits = mantissa.filter { $0 &- 0x30 < 10 }.drop { $0 == UInt8(ascii: "0") }
        return digits.count <= maximumDecimalDigits ? decimal : nil
    }
}

/// What is wrong with one value, as the rest of a sentence: "must be an integer, not a string".
struct JSONProblem: Error, Equatable {
    let message: String

    init(_ message: String) { self.message = message }

    /// The value is of another kind than wanted.
    static func mismatch(_ wanted: String, _ value: JSONValue) -> JSONProblem {
        JSONProblem("must be \(wanted), not \(value.kind)")
    }
}
