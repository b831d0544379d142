private import CLibpq
import Foundation

/// The only owner of a libpq connection.
///
/// C functions: `PQconnectStartParams`, `PQconnectPoll`, `PQenterPipelineMode`,
/// `PQsendQueryParams`, `PQsendQueryPrepared`, `PQpipelineSync`, `PQflush`, `PQconsumeInput`,
/// `PQisBusy`, `PQgetResult`, `PQnotifies`, `PQgetCancel`, `PQfinish`; see the PostgreSQL 15 manual,
/// chapter 34.
///
/// Safe because the pointer never leaves this type, is freed exactly once by `deinit`, and the
/// type is neither copyable nor sendable: it lives and dies on the thread that made it.
@safe
struct PostgresHandle: ~Copyable {
    private let connection: OpaquePointer

    /// Statements of a batch that are sent without waiting for the rest.
    private static let portion = 16

    /// How far an attempt to connect has come.
    enum Progress {
        case wantsRead
        case wantsWrite
        case connected
        case failed
    }

    /// What PQtransactionStatus says, as far as it matters.
    enum TransactionStatus {
        case idle
        case open
        case failed
        case active
        case unknown
    }

    /// Starts to connect, resolving names on the calling thread; ``isBroken`` says if that failed.
    init(_ parameters: ConnectionParameters) throws(PostgresError) {
        let started: OpaquePointer? = unsafe parameters.withKeywords { keys, values in
            unsafe PQconnectStartParams(keys, values, 0)
        }
        guard let started = unsafe started else {
            throw PostgresError(.connect, "out of memory")
        }
        unsafe connection = started
        // Verbose until connected: the message is the only place that shows the SQLSTATE then.
        unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        unsafe PQsetNoticeReceiver(connection, { _, _ in }, nil)
    }

    deinit { unsafe PQfinish(connection) }

    var socket: Int32 { unsafe PQsocket(connection) }

    /// Continues to connect; call it when the socket is ready for what it wanted.
    func connectFurther() -> Progress {
        switch unsafe PQconnectPoll(connection) {
        case PGRES_POLLING_READING: .wantsRead
        case PGRES_POLLING_WRITING: .wantsWrite
        case PGRES_POLLING_OK: .connected
        default: .failed
        }
    }

    /// Makes a finished connection non-blocking, and a pipeline if asked for.
    func prepare(pipeline: Bool) throws(PostgresError) {
        unsafe PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
        guard unsafe PQsetnonblocking(connection, 1) == 0 else { throw connectError() }
        if pipeline { try enterPipeline() }
    }

    func enterPipeline() throws(PostgresError) {
        guard unsafe PQenterPipelineMode(connection) == 1 else { throw lost() }
    }

    func exitPipeline() throws(PostgresError) {
        guard unsafe PQexitPipelineMode(connection) == 1 else { throw lost() }
    }

    /// Queues statements with their parameters; text format both ways.
    ///
    /// A statement like the one before it is not parsed again: it uses the unnamed statement, which
    /// the server keeps until the next one is parsed. All of them must stand under one sync, within
    /// which even pgbouncer's transaction mode stays on one server. The first are on their way while
    /// the others are still written down.
    func send(_ queries: [PostgresQuery]) throws(PostgresError) {
        var parsed: PostgresQuery?
        for (index, query) in queries.enumerated() {
            if index > 0, index.isMultiple(of: Self.portion) { _ = try flush() }
            let isParsed = parsed.map(query.hasForm(of:)) ?? false
            let values = CStringList(query.parameters.lazy.map(\.text))
            let count = Int32(query.parameters.count)
            let isQueued = unsafe values.withPointers { values in
                if isParsed {
                    return unsafe PQsendQueryPrepared(connection, "", count, values, nil, nil, 0)
                }
                let types = query.parameters.map(\.type.oid)
                return unsafe PQsendQueryParams(
                    connection, query.sql, count, types, values, nil, nil, 0)
            }
            guard isQueued == 1 else { throw lost() }
            parsed = query
        }
    }

    /// Queues a script by the simple protocol; outside pipeline mode only.
    func sendScript(_ sql: String) throws(PostgresError) {
        guard unsafe PQsendQuery(connection, sql) == 1 else { throw lost() }
    }

    /// Ends the implicit transaction of what was queued; libpq 15 flushes here.
    func sync() throws(PostgresError) {
        guard unsafe PQpipelineSync(connection) == 1 else { throw lost() }
    }

    /// Writes what is queued; true when some of it must wait for the socket.
    func flush() throws(PostgresError) -> Bool {
        switch unsafe PQflush(connection) {
        case 0: return false
        case 1: return true
        default: throw lost()
        }
    }

    /// Reads what the socket has.
    func consume() throws(PostgresError) {
        guard unsafe PQconsumeInput(connection) == 1 else { throw lost() }
    }

    var isBusy: Bool { unsafe PQisBusy(connection) == 1 }

    /// Asks for the current statement's rows one by one, so that no result is buffered whole.
    func streamRows() { _ = unsafe PQsetSingleRowMode(connection) }

    /// The next result, or nil at the end of a statement.
    func nextResult() -> PostgresResult? {
        guard let result = unsafe PQgetResult(connection) else { return nil }
        return unsafe PostgresResult(result)
    }

    var transactionStatus: TransactionStatus {
        switch unsafe PQtransactionStatus(connection) {
        case PQTRANS_IDLE: .idle
        case PQTRANS_INTRANS: .open
        case PQTRANS_INERROR: .failed
        case PQTRANS_ACTIVE: .active
        default: .unknown
        }
    }

    var isBroken: Bool { unsafe PQstatus(connection) == CONNECTION_BAD }

    /// Asks the server to stop the running statement; `notify` is called when it has taken that.
    ///
    /// nil when it cannot be asked.
    func cancelStatement(notify: @escaping @Sendable () -> Void) -> CancelRequest? {
        guard let cancel = unsafe PQgetCancel(connection) else { return nil }
        return unsafe CancelRequest.send(cancel, notify: notify)
    }

    /// The next notification that has arrived.
    func nextNotification() -> (channel: String, payload: String)? {
        guard let notification = unsafe PQnotifies(connection) else { return nil }
        defer { unsafe PQfreemem(notification) }
        guard let channel = unsafe notification.pointee.relname,
            let payload = unsafe notification.pointee.extra
        else { return nil }
        return (unsafe String(cString: channel), unsafe String(cString: payload))
    }

    /// The error of a failed attempt to connect, with the server's SQLSTATE if it spoke.
    func connectError() -> PostgresError {
        let text = errorText
        guard let fatal = text.range(of: "FATAL:  ") else { return PostgresError(.connect, text) }
        let code = text[fatal.upperBound...].prefix { $0 != ":" }
        guard code.utf8.count == 5 else { return PostgresError(.connect, text) }
        let rest = text[code.endIndex...].drop { $0 == ":" || $0 == " " }
        return PostgresError(.connect, String(rest), sqlState: SQLState(rawValue: String(code)))
    }

    /// The error of a connection that broke.
    func lost() -> PostgresError {
        let text = errorText
        return PostgresError(
            .connectionLost, text.isEmpty ? "the connection to the server was lost" : text,
            mayHaveRun: true)
    }

    /// The first line of libpq's message: later ones are hints and places in its source.
    private var errorText: String {
        guard let message = unsafe PQerrorMessage(connection) else { return "" }
        let text = unsafe String(cString: message)
        return String(text.prefix { !$0.isNewline })
    }
}
