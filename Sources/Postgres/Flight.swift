/// A call whose statements were sent, and what has come back of it; for the owner's thread.
final class Flight {
    let submission: Submission
    /// When the server is given up; set when the call becomes the oldest, and moved by progress.
    var guardDeadline: ContinuousClock.Instant?
    var isStreaming = false
    private(set) var error: PostgresError?

    private let maximumBytes: Int
    private let maximumRows: Int
    private var results: [PostgresRows] = []
    private var columns: [String] = []
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var rowCount = 0
    private var affected = 0
    private var command = ""
    private(set) var hasResult = false

    init(_ submission: Submission, options: PostgresOptions) {
        self.submission = submission
        maximumBytes = options.maximumResultBytes
        maximumRows = options.maximumResultRows
        results.reserveCapacity(submission.queries.count)
    }

    /// The name of the statement whose results are arriving.
    private var statementName: String? {
        let index = min(results.count, submission.queries.count - 1)
        return index >= 0 ? submission.queries[index].name : nil
    }

    /// Takes the rows of one result.
    func take(_ result: borrowing PostgresResult) {
        if !hasResult {
            columns = result.columns
            hasResult = true
        }
        for row in 0..<result.rowCount where error == nil {
            result.copyRow(row, columns: columns.count, into: &bytes, ends: &ends)
            rowCount += 1
            if bytes.count > maximumBytes || rowCount > maximumRows {
                fail(
                    PostgresError(
                        .resultTooLarge,
                        "the result is larger than \(maximumBytes) bytes or \(maximumRows) rows",
                        mayHaveRun: true))
            }
        }
    }

    /// Takes the last result of a statement.
    func complete(_ result: borrowing PostgresResult) {
        take(result)
        affected = result.affected
        command = result.command
    }

    /// Keeps the first error; later ones follow from it.
    func fail(_ error: PostgresError) {
        hasResult = true
        guard self.error == nil else { return }
        self.error = error.named(statementName)
        bytes = []
        ends = []
    }

    /// Notes a statement that was not run.
    func skip() { hasResult = true }

    /// Ends one statement and makes ready for the next.
    func endStatement() {
        let storage = PostgresRows.Storage(
            columns: columns, bytes: bytes, ends: ends, queryName: statementName)
        results.append(
            PostgresRows(
                storage: storage, count: error == nil ? rowCount : 0, affected: affected,
                command: command))
        columns = []
        bytes = []
        ends = []
        rowCount = 0
        affected = 0
        command = ""
        hasResult = false
        isStreaming = false
    }

    /// Answers the caller once all statements have ended.
    func finish() {
        if let error {
            submission.fail(error)
        } else {
            submission.reply.finish(.success(results))
        }
    }

    /// Answers the caller when there will be no results.
    func abandon(_ error: PostgresError) { submission.fail(self.error ?? error) }
}
