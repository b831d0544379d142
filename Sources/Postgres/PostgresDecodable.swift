package import Foundation

/// A Swift type that can be read from the text form of a column.
package protocol PostgresDecodable: Sendable {
    /// Reads the text; nil if it is not of this type.
    init?(postgresText: ArraySlice<UInt8>)
    /// What NULL stands for; nil where NULL is an error.
    static var postgresNull: Self? { get }
    /// Reads the text of a list; bytes are one `bytea`, all else an array.
    static func list(postgresText: ArraySlice<UInt8>) -> [Self]?
}

extension PostgresDecodable {
    package static var postgresNull: Self? { nil }

    package static func list(postgresText: ArraySlice<UInt8>) -> [Self]? {
        guard let elements = ArrayLiteral.elements(postgresText) else { return nil }
        var list: [Self] = []
        list.reserveCapacity(elements.count)
        for element in elements {
            guard let value = element.map(Self.init(postgresText:)) ?? postgresNull else {
                return nil
            }
            list.append(value)
        }
        return list
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package init?(postgresText: ArraySlice<UInt8>) {
        guard let value = Wrapped(postgresText: postgresText) else { return nil }
        self = .some(value)
    }

    package static var postgresNull: Wrapped?? { .some(.none) }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    package init?(postgresText: ArraySlice<UInt8>) {
        guard let list = Element.list(postgresText: postgresText) else { return nil }
        self = list
    }
}

extension String: PostgresDecodable {
    package init?(postgresText: ArraySlice<UInt8>) {
        self.init(decoding: postgresText, as: UTF8.self)
    }
}

extension FixedWidthInteger where Self: PostgresDecodable {
    package init?(postgresText: ArraySlice<UInt8>) {
        var digits = postgresText
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative { digits.removeFirst() }
        guard !digits.isEmpty else { return nil }
        var value: Self = 0
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let digit = Self(byte - UInt8(ascii: "0"))
            let (scaled, isTooLong) = value.multipliedReportingOverflow(by: 10)
            let (next, isTooLarge) =
                isNegative
                ? scaled.subtractingReportingOverflow(digit)
                : scaled.addingReportingOverflow(digit)
            guard !isTooLong, !isTooLarge else { return nil }
            value = next
        }
        self = value
    }
}

extension Int: PostgresDecodable {}
extension Int64: PostgresDecodable {}
extension Int32: PostgresDecodable {}

/// A byte exists here so that `[UInt8]` is one `bytea`, not an array of numbers.
extension UInt8: PostgresDecodable {
    package static func list(postgresText: ArraySlice<UInt8>) -> [UInt8]? {
        HexText.bytes(postgresText)
    }
}

extension Bool: PostgresDecodable {
    package init?(postgresText: ArraySlice<UInt8>) {
        switch (postgresText.count, postgresText.first) {
        case (1, UInt8(ascii: "t")): self = true
        case (1, UInt8(ascii: "f")): self = false
        default: return nil
        }
    }
}

extension Double: PostgresDecodable {
    package init?(postgresText: ArraySlice<UInt8>) {
        self.init(String(decoding: postgresText, as: UTF8.self))
    }
}

extension Date: PostgresDecodable {
    package init?(postgresText: ArraySlice<UInt8>) {
        guard let date = TimestampText.date(postgresText) else { return nil }
        self = date
    }
}

extension UUID: PostgresDecodable {
    package init?(postgresText: ArraySlice<UInt8>) {
        self.init(uuidString: String(decoding: postgresText, as: UTF8.self))
    }
}
