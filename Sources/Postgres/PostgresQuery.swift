import Glibc

/// SQL whose interpolated values travel beside it as parameters, never inside it.
///
/// `"select id from jobs where name = \(name)"` becomes `select id from jobs where name = $1`.
/// There is no interpolation that puts text into the SQL.
package struct PostgresQuery: Sendable, ExpressibleByStringInterpolation {
    package let sql: String
    package let parameters: [PostgresValue]
    /// A constant name for logs, metrics and errors.
    package private(set) var name: String?

    package init(stringLiteral value: String) {
        sql = value
        parameters = []
    }

    package init(stringInterpolation: Interpolation) {
        sql = stringInterpolation.sql
        parameters = stringInterpolation.parameters
    }

    /// SQL that is part of the program, such as a migration file; never made from input.
    package init(trustedSQL: String, name: String) {
        sql = trustedSQL
        parameters = []
        self.name = name
    }

    /// The same query under a constant name such as `payments.settle`.
    package func named(_ name: StaticString) -> PostgresQuery {
        var copy = self
        copy.name = name.description
        return copy
    }

    /// Collects SQL text and parameters in turn.
    package struct Interpolation: StringInterpolationProtocol {
        fileprivate var sql = ""
        fileprivate var parameters: [PostgresValue] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            sql.reserveCapacity(literalCapacity + 4 * interpolationCount)
            parameters.reserveCapacity(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { sql += literal }

        /// Adds a parameter.
        package mutating func appendInterpolation(_ value: PostgresValue) {
            parameters.append(value)
            sql += "$\(parameters.count)"
        }

        /// Adds a value, an optional or an array of a supported type.
        package mutating func appendInterpolation(_ value: some PostgresEncodable) {
            appendInterpolation(value.postgresValue)
        }

        /// Adds an array with NULLs.
        package mutating func appendInterpolation<Element: PostgresScalar>(_ list: [Element?]) {
            appendInterpolation(
                .array(of: Element.postgresType, list.lazy.map { $0?.postgresText }))
        }

        /// Adds a `bytea[]`.
        package mutating func appendInterpolation(_ list: [[UInt8]]) {
            appendInterpolation(.array(of: .bytea, list.lazy.map { HexText.text($0) }))
        }

        /// Adds a `jsonb` document.
        package mutating func appendInterpolation(json text: String) {
            appendInterpolation(.json(text))
        }

        /// Adds a `jsonb` document or NULL.
        package mutating func appendInterpolation(json text: String?) {
            appendInterpolation(PostgresValue(type: .jsonb, text: text))
        }

        /// Adds a `jsonb[]`, for `unnest`.
        package mutating func appendInterpolation(json list: [String]) {
            appendInterpolation(.array(of: .jsonb, list))
        }

        /// Adds a `jsonb[]` with NULLs, for `unnest`.
        package mutating func appendInterpolation(json list: [String?]) {
            appendInterpolation(.array(of: .jsonb, list))
        }
    }
}

extension PostgresQuery: CustomStringConvertible {
    /// The SQL with its placeholders; the parameters are never shown.
    package var description: String { name ?? sql }
}

extension PostgresQuery {
    /// PostgreSQL counts the parameters of a statement in 16 bits.
    static let maximumParameters = 65_535

    /// Whether it is the same statement with parameters of the same types.
    func hasForm(of other: PostgresQuery) -> Bool {
        sql == other.sql && parameters.count == other.parameters.count
            && zip(parameters, other.parameters).allSatisfy { $0.type.oid == $1.type.oid }
    }

    /// Says why the query cannot be sent: C strings end at a zero byte, so one would cut the text.
    func validate() throws(PostgresError) {
        guard parameters.count <= Self.maximumParameters else {
            throw PostgresError(
                .decoding, "a statement takes at most \(Self.maximumParameters) parameters",
                queryName: name)
        }
        guard !sql.holdsZeroByte else {
            throw PostgresError(.decoding, "the SQL contains a zero byte", queryName: name)
        }
        for (index, parameter) in parameters.enumerated()
        where parameter.text?.holdsZeroByte ?? false {
            throw PostgresError(
                .decoding, "parameter $\(index + 1) contains a zero byte, which text cannot hold",
                queryName: name)
        }
    }
}

extension String {
    /// Whether C would see less than all of it.
    fileprivate var holdsZeroByte: Bool {
        let found = unsafe utf8.withContiguousStorageIfAvailable { bytes in
            guard let start = bytes.baseAddress else { return false }
            return unsafe memchr(start, 0, bytes.count) != nil
        }
        return found ?? utf8.contains(0)
    }
}
