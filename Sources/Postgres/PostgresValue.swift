package import Foundation

/// One parameter: its text form and its type; never part of the SQL.
package struct PostgresValue: Sendable, Equatable {
    let type: PostgresType
    /// The text form, or nil for NULL.
    let text: String?

    /// NULL of a type that the server infers.
    package static let null = PostgresValue(type: .unspecified, text: nil)

    /// A `jsonb` document.
    package static func json(_ text: String) -> PostgresValue {
        PostgresValue(type: .jsonb, text: text)
    }

    /// Any text, whose type the server infers from its place.
    package static func text(_ text: String) -> PostgresValue {
        PostgresValue(type: .unspecified, text: text)
    }

    /// An array of a type from the text forms of its elements; nil is NULL.
    package static func array(
        of type: PostgresType, _ elements: some Sequence<String?>
    ) -> PostgresValue {
        PostgresValue(type: type.array, text: ArrayLiteral.text(elements))
    }
}

/// A Swift type that can be a parameter.
package protocol PostgresEncodable: Sendable {
    /// The parameter that stands for this value.
    var postgresValue: PostgresValue { get }
    /// The type of that parameter, for NULL.
    static var postgresType: PostgresType { get }
}

/// A Swift type that can be a parameter and an element of an array.
package protocol PostgresScalar: PostgresEncodable {
    /// The value as the server reads it.
    var postgresText: String { get }
    /// The parameter for a list of such values; bytes are one `bytea`, all else an array.
    static func postgresValue(of list: [Self]) -> PostgresValue
    /// The type of that parameter.
    static var postgresListType: PostgresType { get }
}

extension PostgresScalar {
    package var postgresValue: PostgresValue {
        PostgresValue(type: Self.postgresType, text: postgresText)
    }

    package static func postgresValue(of list: [Self]) -> PostgresValue {
        .array(of: postgresType, list.lazy.map(\.postgresText))
    }

    package static var postgresListType: PostgresType { postgresType.array }
}

extension Array: PostgresEncodable where Element: PostgresScalar {
    package var postgresValue: PostgresValue { Element.postgresValue(of: self) }
    package static var postgresType: PostgresType { Element.postgresListType }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    package var postgresValue: PostgresValue {
        self?.postgresValue ?? PostgresValue(type: Wrapped.postgresType, text: nil)
    }

    package static var postgresType: PostgresType { Wrapped.postgresType }
}

extension String: PostgresScalar {
    package static var postgresType: PostgresType { .unspecified }
    package var postgresText: String { self }
}

extension Int: PostgresScalar {
    package static var postgresType: PostgresType { .int8 }
    package var postgresText: String { String(self) }
}

extension Int64: PostgresScalar {
    package static var postgresType: PostgresType { .int8 }
    package var postgresText: String { String(self) }
}

extension Int32: PostgresScalar {
    package static var postgresType: PostgresType { .int4 }
    package var postgresText: String { String(self) }
}

extension Bool: PostgresScalar {
    package static var postgresType: PostgresType { .bool }
    package var postgresText: String { self ? "t" : "f" }
}

extension Double: PostgresScalar {
    package static var postgresType: PostgresType { .float8 }
    package var postgresText: String { description }
}

extension Date: PostgresScalar {
    package static var postgresType: PostgresType { .timestamptz }
    package var postgresText: String { TimestampText.text(self) }
}

extension UUID: PostgresScalar {
    package static var postgresType: PostgresType { .uuid }
    package var postgresText: String { uuidString }
}

/// A byte exists here so that `[UInt8]` is one `bytea`, not an array of numbers.
extension UInt8: PostgresScalar {
    package static var postgresType: PostgresType { .int2 }
    package var postgresText: String { String(self) }
    package static var postgresListType: PostgresType { .bytea }

    package static func postgresValue(of list: [UInt8]) -> PostgresValue {
        PostgresValue(type: .bytea, text: HexText.text(list))
    }
}
