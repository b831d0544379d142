private import CLibpq

/// The only owner of a `PGresult`; its cells are copied out before it is freed.
///
/// Safe because the pointer never leaves this type and is freed exactly once by `deinit`.
@safe
struct PostgresResult: ~Copyable {
    private let result: OpaquePointer

    /// What a result is, in pipeline mode and out of it.
    enum Kind {
        /// One row of a result that is not complete.
        case row
        /// The end of a statement's rows, or a statement without rows.
        case complete
        case failed
        /// Not run, because an earlier statement of the same sync failed.
        case skipped
        case sync
        /// COPY and anything newer, which this module does not speak.
        case unsupported
    }

    @unsafe
    init(_ result: OpaquePointer) { unsafe self.result = result }

    deinit { unsafe PQclear(result) }

    var kind: Kind {
        switch unsafe PQresultStatus(result) {
        case PGRES_SINGLE_TUPLE: .row
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: .complete
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR: .failed
        case PGRES_PIPELINE_ABORTED: .skipped
        case PGRES_PIPELINE_SYNC: .sync
        default: .unsupported
        }
    }

    /// Rows touched, from the command tag.
    var affected: Int {
        guard let text = unsafe PQcmdTuples(result) else { return 0 }
        return Int(unsafe String(cString: text)) ?? 0
    }

    /// The command tag without its counts.
    var command: String {
        guard let text = unsafe PQcmdStatus(result) else { return "" }
        let tag = unsafe String(cString: text)
        // By bytes: a tag is ASCII, and this runs for every statement.
        var words = tag.utf8.prefix { !(0x30...0x39).contains($0) }
        while words.last == UInt8(ascii: " ") { words.removeLast() }
        return String(Substring(words))
    }

    /// The names of the columns.
    var columns: [String] {
        let count = unsafe PQnfields(result)
        return (0..<count).map { index in
            guard let name = unsafe PQfname(result, index) else { return "" }
            return unsafe String(cString: name)
        }
    }

    var rowCount: Int { Int(unsafe PQntuples(result)) }

    /// Copies the cells of one row.
    func copyRow(_ row: Int, columns: Int, into bytes: inout [UInt8], ends: inout [Int]) {
        let row = Int32(truncatingIfNeeded: row)
        for column in 0..<Int32(truncatingIfNeeded: columns) {
            if unsafe PQgetisnull(result, row, column) == 1 {
                ends.append(~bytes.count)
                continue
            }
            let length = Int(unsafe PQgetlength(result, row, column))
            if length > 0, let cell = unsafe PQgetvalue(result, row, column) {
                unsafe bytes.append(
                    contentsOf: UnsafeRawBufferPointer(start: cell, count: length))
            }
            ends.append(bytes.count)
        }
    }

    /// The server's error without `DETAIL`, `HINT` and `CONTEXT`, which may hold data.
    func error() -> PostgresError {
        let state = field(Self.sqlStateField).map(SQLState.init(rawValue:))
        let primary = field(Self.primaryField) ?? wholeMessage
        guard let state else {
            // libpq's own error, not the server's: the connection is gone.
            return PostgresError(.connectionLost, primary, mayHaveRun: true)
        }
        return PostgresError(
            state.endsSession ? .connectionLost : .server,
            PostgresError.redacted(primary, state: state), sqlState: state,
            constraint: field(Self.constraintField), mayHaveRun: state.endsSession)
    }

    // The field codes of libpq-fe.h are character macros, which Swift does not import.
    private static let sqlStateField = Int32(UInt8(ascii: "C"))
    private static let primaryField = Int32(UInt8(ascii: "M"))
    private static let constraintField = Int32(UInt8(ascii: "n"))

    private func field(_ code: Int32) -> String? {
        guard let text = unsafe PQresultErrorField(result, code) else { return nil }
        return unsafe String(cString: text)
    }

    private var wholeMessage: String {
        guard let text = unsafe PQresultErrorMessage(result) else { return "" }
        return String(unsafe String(cString: text).prefix { !$0.isNewline })
    }
}
