import Foundation

/// A Swift type that one JSON value stands for, whatever its own `Codable` conformance says.
protocol JSONScalar {
    /// Reads the value.
    static func reading(_ value: JSONValue) throws(JSONProblem) -> Self

    /// The value that stands for this one.
    var json: JSONValue { get }
}

extension JSONValue: JSONScalar {
    static func reading(_ value: JSONValue) throws(JSONProblem) -> JSONValue { value }
    var json: JSONValue { self }
}

extension Bool: JSONScalar {
    static func reading(_ value: JSONValue) throws(JSONProblem) -> Bool {
        guard let flag = value.boolValue else { throw .mismatch("a boolean", value) }
        return flag
    }
    var json: JSONValue { .bool(self) }
}

extension String: JSONScalar {
    static func reading(_ value: JSONValue) throws(JSONProblem) -> String {
        guard let text = value.stringValue else { throw .mismatch("a string", value) }
        return text
    }
    var json: JSONValue { .string(self) }
}

extension FixedWidthInteger {
    /// Exactly the integer that is written, or an error: no rounding, no wrapping.
    static func reading(_ value: JSONValue) throws(JSONProblem) -> Self {
        guard case .number(let number) = value, number.isInteger else {
            throw .mismatch("an integer", value)
        }
        guard let integer = Self(number.text) else {
            throw JSONProblem("must be an integer from \(Self.min) to \(Self.max)")
        }
        return integer
    }
    var json: JSONValue { .number(JSONNumber(self)) }
}

extension Int: JSONScalar {}
extension Int8: JSONScalar {}
extension Int16: JSONScalar {}
extension Int32: JSONScalar {}
extension Int64: JSONScalar {}
extension UInt: JSONScalar {}
extension UInt8: JSONScalar {}
extension UInt16: JSONScalar {}
extension UInt32: JSONScalar {}
extension UInt64: JSONScalar {}

extension Double: JSONScalar {
    static func reading(_ value: JSONValue) throws(JSONProblem) -> Double {
        guard let number = value.doubleValue else { throw .mismatch("a number", value) }
        return number
    }
    var json: JSONValue { .number(JSONNumber(self)) }
}

extension Float: JSONScalar {
    static func reading(_ value: JSONValue) throws(JSONProblem) -> Float {
        Float(try Double.reading(value))
    }
    /// The shortest digits that give this value back.
    var json: JSONValue {
        isFinite ? .number(JSONNumber(text: description)) : .number(JSONNumber(Double(self)))
    }
}

extension Date: JSONScalar {
    /// A datetime, a date (midnight UTC), or ISO 8601 text.
    static func reading(_ value: JSONValue) throws(JSONProblem) -> Date {
        if case .object(let members) = value, let form = try TypedForm(members) {
            switch form {
            case .datetime(let date), .date(let date): return date
            default: break
            }
        }
        if let text = value.stringValue {
            guard let date = WireDate.date(text) else {
                throw JSONProblem("must be a date and time in ISO 8601")
            }
            return date
        }
        throw .mismatch("a date and time", value)
    }
    var json: JSONValue { TypedForm.json(self) }
}

extension Decimal: JSONScalar {
    /// A decimal, or a number, which is taken by its digits.
    static func reading(_ value: JSONValue) throws(JSONProblem) -> Decimal {
        switch value {
        case .object(let members):
            if case .decimal(let decimal)? = try TypedForm(members) { return decimal }
        case .number(let number):
            guard let decimal = TypedForm.decimal(number.text) else {
                throw JSONProblem("must be a decimal of at most 38 digits")
            }
            return decimal
        default: break
        }
        throw .mismatch("a decimal", value)
    }
    var json: JSONValue { TypedForm.json(self) }
}

extension UUID: JSONScalar {
    /// A UUID, or its text.
    static func reading(_ value: JSONValue) throws(JSONProblem) -> UUID {
        switch value {
        case .object(let members):
            if case .uuid(let uuid)? = try TypedForm(members) { return uuid }
        case .string(let text):
            guard let uuid = TypedForm.uuid(hex: text) else {
                throw JSONProblem("must be a UUID of 32 hexadecimal digits")
            }
            return uuid
        default: break
        }
        throw .mismatch("a UUID", value)
    }
    var json: JSONValue { TypedForm.json(self) }
}

extension Data: JSONScalar {
    static func reading(_ value: JSONValue) throws(JSONProblem) -> Data {
        if case .object(let members) = value, case .bytes(let data)? = try TypedForm(members) {
            return data
        }
        throw .mismatch("bytes", value)
    }
    var json: JSONValue { TypedForm.json(self) }
}

extension URL: JSONScalar {
    static func reading(_ value: JSONValue) throws(JSONProblem) -> URL {
        guard let text = value.stringValue else { throw .mismatch("a URL", value) }
        guard let url = URL(string: text) else { throw JSONProblem("must be a URL") }
        return url
    }
    var json: JSONValue { .string(absoluteString) }
}
