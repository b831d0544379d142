import Logging
import Mailbox

/// What reaches a connection's thread.
enum ConnectionCommand: Sendable {
    case run(Submission)
    case cancel(Submission)
    /// A transaction is over; whatever it left open is dropped.
    case release(UInt64)
}

/// The loop of a connection's thread: connects when there is work, sends, reads, answers.
///
/// Lives on that thread only. Calls that were never sent survive a lost session and travel on the
/// next; calls that were sent fail with `connectionLost`, because they may have run.
final class ConnectionDriver {
    private let options: PostgresOptions
    private let parameters: ConnectionParameters
    private let inbox: Mailbox<ConnectionCommand>
    private let bell: Doorbell
    private let outage: OutageLog

    private var session: PostgresSession?
    private var shared = Fifo<Submission>()
    private var leased = Fifo<Submission>()
    private var lostLease: UInt64?
    private var backoff = ReconnectBackoff()
    private var random = SystemRandomNumberGenerator()
    private var notBefore: ContinuousClock.Instant?

    init(
        options: PostgresOptions, parameters: ConnectionParameters,
        inbox: Mailbox<ConnectionCommand>, bell: Doorbell, outage: OutageLog
    ) {
        self.options = options
        self.parameters = parameters
        self.inbox = inbox
        self.bell = bell
        self.outage = outage
    }

    /// Runs until the mailbox is closed and what is under way has ended, or its time is over.
    func run() {
        var stopDeadline: ContinuousClock.Instant?
        while true {
            takeMail()
            expireUnsent()
            if inbox.isClosed {
                let deadline = stopDeadline ?? .now.advanced(by: options.shutdownTimeout)
                stopDeadline = deadline
                failUnsent(PostgresError(.closed, "the pool is shut down"))
                if session?.isIdle ?? true || ContinuousClock.now >= deadline { break }
            }
            connectIfNeeded()
            // An attempt to connect hears the bell itself; it would not ring again.
            if inbox.isClosed, stopDeadline == nil { continue }
            attempt { session throws(PostgresError) in
                try sendReady(on: session)
                try session.flush()
                try session.takeResults()
            }
            sleep(stopDeadline: stopDeadline)
        }
        drop(PostgresError(.closed, "the pool is shut down", mayHaveRun: true))
    }

    private func takeMail() {
        for command in inbox.drain() {
            switch command {
            case .run(let submission) where submission.place == nil:
                shared.append(submission)
            case .run(let submission):
                leased.append(submission)
            case .cancel(let submission):
                session?.cancel(submission) { [bell] in bell.ring() }
            case .release(let lease):
                if lostLease == lease { lostLease = nil }
                if session?.openLease == lease, !isEnding(lease) {
                    drop(PostgresError(.connectionLost, "a transaction was left open"))
                }
            }
        }
    }

    /// Whether the end of a transaction is under way or waits for its turn.
    private func isEnding(_ lease: UInt64) -> Bool {
        leased.contains { $0.place.map { $0.ends && $0.lease == lease } ?? false }
            || session?.isEnding(lease) ?? false
    }

    // MARK: Connecting

    private var hasWork: Bool { !shared.isEmpty || !leased.isEmpty }

    private func connectIfNeeded() {
        guard session == nil, !inbox.isClosed else { return }
        failLost()
        guard hasWork else { return }
        if let notBefore, ContinuousClock.now < notBefore { return }
        do throws(PostgresError) {
            let handle = try SocketWait.connect(
                parameters, pipeline: true, bell: bell, timeout: options.connectTimeout
            ) {
                takeMail()
                return inbox.isClosed
            }
            session = PostgresSession(handle, options: options)
            backoff.reset()
            notBefore = nil
            outage.noteSuccess()
        } catch {
            notBefore = .now.advanced(by: backoff.delay(using: &random))
            outage.note(error)
            failUnsent(error)
        }
    }

    // MARK: Sending

    /// Sends what may go now.
    ///
    /// A transaction has the connection to itself: it starts when nothing is under way, nothing
    /// is sent behind its statement, and other calls wait until it has ended.
    private func sendReady(on session: PostgresSession) throws(PostgresError) {
        while session.hasRoom, !session.isExclusive {
            if let next = leased.first {
                guard session.isIdle else { return }
                _ = leased.popFirst()
                guard !next.reply.isFinished, admit(next, on: session) else { continue }
                try session.send(next)
            } else if session.openLease == nil, let next = shared.popFirst() {
                guard !next.reply.isFinished else { continue }
                try session.send(next)
            } else {
                return
            }
        }
    }

    /// Whether a transaction's statement belongs to the transaction that is open here.
    private func admit(_ submission: Submission, on session: PostgresSession) -> Bool {
        guard let place = submission.place else { return true }
        if place.begins ? session.openLease == nil : session.openLease == place.lease {
            return true
        }
        submission.fail(
            place.lease == lostLease
                ? PostgresError(.connectionLost, "the transaction's connection was lost")
                : PostgresError(.transactionState, "the transaction is not open"))
        return false
    }

    /// Fails the statements of a transaction whose session has gone; they cannot travel on.
    private func failLost() {
        let stranded = leased.removeAll { $0.place?.begins == false }
        for submission in stranded {
            submission.fail(
                PostgresError(.connectionLost, "the transaction's connection was lost"))
        }
    }

    // MARK: Waiting and giving up

    private func sleep(stopDeadline: ContinuousClock.Instant?) {
        var deadlines = [
            shared.first?.sendDeadline, leased.first?.sendDeadline, session?.guardDeadline,
            stopDeadline,
        ]
        if session == nil, hasWork { deadlines.append(notBefore ?? .now) }
        let ready = SocketWait.wait(
            socket: session?.socket, writing: session?.wantsWrite ?? false, bell: bell,
            until: deadlines.compactMap(\.self).min())
        if ready.wasRung { bell.silence() }
        attempt { session throws(PostgresError) in
            if ready.canRead { try session.read() }
            if let deadline = session.guardDeadline, ContinuousClock.now >= deadline {
                throw PostgresError(
                    .timeout, "no answer within \(options.guardTimeout)", mayHaveRun: true)
            }
        }
    }

    /// Gives up calls whose turn did not come in time.
    private func expireUnsent() {
        guard hasWork else { return }
        let now = ContinuousClock.now
        while let first = shared.first, first.sendDeadline <= now || first.reply.isFinished {
            _ = shared.popFirst()
            first.fail(
                PostgresError(
                    .poolExhausted, "no turn on a connection within \(options.leaseTimeout)"))
        }
        while let first = leased.first, first.sendDeadline <= now {
            _ = leased.popFirst()
            first.fail(PostgresError(.timeout, "the connection was busy for too long"))
            if first.place?.ends == true {
                drop(PostgresError(.connectionLost, "a transaction could not be ended"))
            }
        }
    }

    private func failUnsent(_ error: PostgresError) {
        while let next = shared.popFirst() { next.fail(error) }
        while let next = leased.popFirst() { next.fail(error) }
    }

    /// Works on the session, if there is one, and drops it when that fails.
    private func attempt(_ work: (PostgresSession) throws(PostgresError) -> Void) {
        guard let session else { return }
        do throws(PostgresError) {
            try work(session)
        } catch {
            drop(error)
        }
    }

    private func drop(_ error: PostgresError) {
        guard let dropped = session else { return }
        session = nil
        lostLease = dropped.openLease ?? lostLease
        dropped.abandon(error)
    }
}
