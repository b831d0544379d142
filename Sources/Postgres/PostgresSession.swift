/// One established connection in pipeline mode, and what is under way on it.
///
/// For the owner's thread only. A session that fails is dropped whole; its successor starts clean,
/// so nothing of a transaction can leak from one to the other.
final class PostgresSession {
    private let handle: PostgresHandle
    private let options: PostgresOptions
    private var inFlight = Fifo<Flight>()
    private(set) var wantsWrite = false
    /// The lease whose transaction is open here.
    private(set) var openLease: UInt64?
    private var cancellation: CancelRequest?

    init(_ handle: consuming PostgresHandle, options: PostgresOptions) {
        self.handle = handle
        self.options = options
    }

    var socket: Int32 { handle.socket }
    var isIdle: Bool { inFlight.isEmpty }
    /// Whether more may be sent; not while a cancellation is on its way, which could hit it.
    var hasRoom: Bool {
        inFlight.count < options.maximumInFlight && cancellation?.isDone ?? true
    }

    /// Whether the statements of a transaction are under way: nothing is sent behind them.
    var isExclusive: Bool { inFlight.last?.submission.place != nil }

    /// When the oldest call's server is given up.
    var guardDeadline: ContinuousClock.Instant? { inFlight.first?.guardDeadline }

    /// Sends a call's statements; the caller made sure that its turn has come.
    func send(_ submission: Submission) throws(PostgresError) {
        let flight = Flight(submission, options: options)
        inFlight.append(flight)
        switch submission.form {
        case .pipeline:
            try handle.send(submission.queries)
            try handle.sync()
        case .script:
            try handle.exitPipeline()
            try handle.sendScript(submission.queries.map(\.sql).joined(separator: ";\n"))
        }
        watchFirst()
        wantsWrite = true
    }

    /// Writes what libpq has queued.
    func flush() throws(PostgresError) {
        guard wantsWrite else { return }
        wantsWrite = try handle.flush()
    }

    /// Reads from the socket and takes all complete results.
    func read() throws(PostgresError) {
        try handle.consume()
        try takeResults()
    }

    /// Takes the results that libpq holds already.
    func takeResults() throws(PostgresError) {
        while let flight = inFlight.first {
            if !flight.isStreaming, flight.submission.form == .pipeline {
                flight.isStreaming = true
                handle.streamRows()
            }
            guard !handle.isBusy else { return }
            guard let result = handle.nextResult() else {
                if flight.submission.form == .script {
                    try finishScript(flight)
                    continue
                }
                // Between statements a nil ends one; otherwise nothing has come yet.
                guard flight.hasResult else { break }
                flight.endStatement()
                moveGuard(flight)
                continue
            }
            try take(result, for: flight)
        }
        if handle.isBroken { throw handle.lost() }
    }

    private func take(
        _ result: consuming PostgresResult, for flight: Flight
    ) throws(PostgresError) {
        switch result.kind {
        case .row:
            flight.take(result)
            moveGuard(flight)
        case .complete where flight.submission.form == .script:
            moveGuard(flight)
        case .complete:
            flight.complete(result)
        case .failed:
            let error = result.error()
            flight.fail(error)
            if error.code == .connectionLost { throw error }
        case .skipped:
            flight.skip()
        case .sync:
            try finishFirst(flight)
        case .unsupported:
            flight.fail(
                PostgresError(.server, "COPY is not supported here", mayHaveRun: true))
            throw PostgresError(.connectionLost, "a COPY ended the session", mayHaveRun: true)
        }
    }

    private func finishScript(_ flight: Flight) throws(PostgresError) {
        try handle.enterPipeline()
        try finishFirst(flight)
    }

    /// Answers the oldest call and settles what it means for the transaction.
    private func finishFirst(_ flight: Flight) throws(PostgresError) {
        _ = inFlight.popFirst()
        let status = handle.transactionStatus
        let isOpen = status == .open || status == .failed
        guard let place = flight.submission.place else {
            if isOpen {
                flight.fail(
                    PostgresError(
                        .transactionState, "BEGIN is for transaction(_:) only", mayHaveRun: true))
            }
            flight.finish()
            watchFirst()
            if isOpen { throw PostgresError(.connectionLost, "a transaction was left open") }
            return
        }
        openLease = isOpen && !place.ends ? place.lease : nil
        if flight.error == nil, !isOpen, !place.ends {
            flight.fail(
                PostgresError(
                    .transactionState, "the statement ended its transaction", mayHaveRun: true))
        }
        flight.finish()
        watchFirst()
        if place.ends, isOpen {
            throw PostgresError(.connectionLost, "the transaction did not end")
        }
    }

    /// Stops a transaction's statement whose caller has gone.
    ///
    /// Only a statement of a transaction, and only while nothing was sent behind it: the server
    /// stops whatever runs when the request arrives, so a neighbour in a pipeline could be hit.
    ///
    /// `notify` is called when more may be sent.
    func cancel(_ submission: Submission, notify: @escaping @Sendable () -> Void) {
        guard submission.place != nil, inFlight.count == 1,
            inFlight.first?.submission === submission
        else { return }
        cancellation = handle.cancelStatement(notify: notify)
    }

    /// Whether the end of that lease's transaction has been sent.
    func isEnding(_ lease: UInt64) -> Bool {
        inFlight.last?.submission.place.map { $0.ends && $0.lease == lease } ?? false
    }

    /// Answers everything under way when the session is over.
    ///
    /// - Parameter error: The reason, as the oldest call gets it; those behind it lost their
    ///   connection.
    func abandon(_ error: PostgresError) {
        if error.code == .timeout { _ = handle.cancelStatement {} }
        var reason = error
        while let flight = inFlight.popFirst() {
            flight.abandon(reason)
            if reason.code == .timeout {
                reason = PostgresError(
                    .connectionLost, "the connection was given up", mayHaveRun: true)
            }
        }
    }

    private func watchFirst() {
        guard let first = inFlight.first, first.guardDeadline == nil else { return }
        moveGuard(first)
    }

    private func moveGuard(_ flight: Flight) {
        flight.guardDeadline = .now.advanced(by: options.guardTimeout)
    }
}
