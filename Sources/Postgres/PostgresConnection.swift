import Mailbox

/// The sending side of one connection: a mailbox in front of the thread that owns the handle.
///
/// The thread starts with the first connection object and connects with the first call. It ends
/// with ``stop()``, or when the object goes away.
final class PostgresConnection: Sendable {
    private let options: PostgresOptions
    private let inbox: Mailbox<ConnectionCommand>
    private let bell: Doorbell
    private let exit: ThreadExit
    private let thread: OwnerThread

    init(options: PostgresOptions, parameters: ConnectionParameters, outage: OutageLog) {
        let bell = Doorbell()
        // Room for a cancellation beside every call.
        let inbox = Mailbox<ConnectionCommand>(limit: 2 * options.maximumPending + 16) {
            bell.ring()
        }
        let exit = ThreadExit()
        self.options = options
        self.bell = bell
        self.inbox = inbox
        self.exit = exit
        thread = OwnerThread(name: "postgres") {
            ConnectionDriver(
                options: options, parameters: parameters, inbox: inbox, bell: bell, outage: outage
            ).run()
            exit.note()
        }
    }

    deinit { close() }

    /// Runs statements and waits for their results.
    ///
    /// A cancellable wait ends with the calling task. The statement may then run on; one inside a
    /// transaction is stopped.
    func run(
        _ queries: [PostgresQuery], form: Submission.Form = .pipeline,
        place: Submission.Place? = nil, isCancellable: Bool = true
    ) async throws(PostgresError) -> [PostgresRows] {
        for query in queries { try query.validate() }
        return try await wait(
            for: submission(queries, form: form, place: place), isCancellable: isCancellable)
    }

    /// Makes a call that must be sent within the lease timeout.
    func submission(
        _ queries: [PostgresQuery], form: Submission.Form, place: Submission.Place?
    ) -> Submission {
        // A transaction's later statements may have to wait for one that was left running.
        let patience =
            place?.begins == false
            ? options.guardTimeout + options.leaseTimeout : options.leaseTimeout
        return Submission(
            queries, form: form, place: place, sendDeadline: .now.advanced(by: patience))
    }

    /// Sends a call that was made before, and waits for its results.
    func wait(
        for submission: Submission, isCancellable: Bool
    ) async throws(PostgresError) -> [PostgresRows] {
        guard isCancellable else {
            send(submission)
            return try await submission.reply.answer().get()
        }
        let answer = await withTaskCancellationHandler {
            if !submission.reply.isFinished { send(submission) }
            return await submission.reply.answer()
        } onCancel: {
            submission.fail(
                PostgresError(
                    .cancelled, "the task was cancelled while it waited", mayHaveRun: true))
            try? inbox.send(.cancel(submission))
        }
        return try answer.get()
    }

    /// Sends a call whose results nobody waits for.
    func post(_ queries: [PostgresQuery], place: Submission.Place) {
        send(submission(queries, form: .pipeline, place: place))
    }

    /// Tells the thread that a transaction is over, whatever became of it.
    func release(_ lease: UInt64) { try? inbox.send(.release(lease)) }

    private func send(_ submission: Submission) {
        do {
            try inbox.send(.run(submission))
        } catch {
            submission.fail(
                error == .closed
                    ? PostgresError(.closed, "the pool is shut down")
                    : PostgresError(.poolExhausted, "too many calls wait for the connection"))
        }
    }

    private func close() {
        for case .run(let submission) in inbox.close() {
            submission.fail(PostgresError(.closed, "the pool is shut down"))
        }
        bell.ring()
    }

    /// Ends the thread, after what is under way or the shutdown timeout.
    func stop() async {
        close()
        await exit.wait()
        thread.join()
    }
}

/// Lets tasks wait for the end of a thread without blocking theirs.
final class ThreadExit: Sendable {
    private struct State {
        var hasEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())

    func note() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.waiters.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }
}
