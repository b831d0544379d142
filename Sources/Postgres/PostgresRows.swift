/// The rows of one statement, copied out of the C library.
package struct PostgresRows: RandomAccessCollection, Sendable {
    /// Cells of all rows in one buffer: a result of any size costs a handful of allocations.
    final class Storage: Sendable {
        let columns: [String]
        let bytes: [UInt8]
        /// Where each cell ends in `bytes`; the complement of that for NULL.
        let ends: [Int]
        let queryName: String?

        init(columns: [String], bytes: [UInt8], ends: [Int], queryName: String?) {
            self.columns = columns
            self.bytes = bytes
            self.ends = ends
            self.queryName = queryName
        }

        func cell(_ index: Int) -> ArraySlice<UInt8>? {
            let end = ends[index]
            guard end >= 0 else { return nil }
            let start = index == 0 ? 0 : ends[index - 1]
            return bytes[(start >= 0 ? start : ~start)..<end]
        }
    }

    private let storage: Storage
    package let count: Int
    /// Rows inserted, updated, deleted or selected, as the server counts them.
    package let affected: Int
    /// The server's command tag without its counts, such as `INSERT`.
    let command: String

    init(storage: Storage, count: Int, affected: Int, command: String) {
        self.storage = storage
        self.count = count
        self.affected = affected
        self.command = command
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    package subscript(position: Int) -> PostgresRow {
        precondition((0..<count).contains(position), "row \(position) of \(count)")
        return PostgresRow(storage: storage, position: position)
    }

    /// The names of the columns, in order.
    package var columns: [String] { storage.columns }
}

/// One row; cheap to copy, it shares the result's buffer.
package struct PostgresRow: Sendable {
    private let storage: PostgresRows.Storage
    private let first: Int

    init(storage: PostgresRows.Storage, position: Int) {
        self.storage = storage
        first = position * storage.columns.count
    }

    /// The value of a column, of the type that the context asks for.
    package subscript<Value: PostgresDecodable>(_ column: String) -> Value {
        get throws(PostgresError) { try decode(column, as: Value.self) }
    }

    /// The value of a column; an optional type takes NULL.
    ///
    /// - Throws: `decoding`, naming the column but never its value.
    package func decode<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let index = storage.columns.firstIndex(of: column) else {
            throw PostgresError(
                .decoding, "the result has no column \"\(column)\"", queryName: storage.queryName)
        }
        guard let cell = storage.cell(first + index) else {
            if let null = Value.postgresNull { return null }
            throw PostgresError(
                .decoding, "column \"\(column)\" is NULL, but \(Value.self) is asked for",
                queryName: storage.queryName)
        }
        guard let value = Value(postgresText: cell) else {
            throw PostgresError(
                .decoding, "column \"\(column)\" does not hold a value of type \(Value.self)",
                queryName: storage.queryName)
        }
        return value
    }

    /// Whether a column is NULL.
    package func isNull(_ column: String) throws(PostgresError) -> Bool {
        try decode(column, as: RawCell?.self) == nil
    }
}

/// Any cell that is not NULL.
private struct RawCell: PostgresDecodable {
    init?(postgresText: ArraySlice<UInt8>) {}
}
