internal import CCurl
import Glibc
import Logging
import Mailbox

/// What senders leave for the driver.
enum DriverOrder: Sendable {
    case start(Submission)
    case cancel(Ticket)
}

/// The loop of the one thread that owns the multi handle: take orders, admit, move on, answer, poll.
///
/// Threading: made and used on that thread only; others reach it through the mailbox.
final class CurlDriver {
    /// What crosses to the thread.
    struct Start: Sendable {
        let multi: CurlMulti
        let mailbox: Mailbox<DriverOrder>
        let policy: AddressPolicy
        let limits: HTTPLimits
        let certificateAuthorities: String?
        let logger: Logger
        /// Called once for each submission taken, when it has been answered.
        let answered: @Sendable () -> Void
    }

    /// How often those who wait for a slot are looked through for ones out of time.
    private static let sweepInterval: Duration = .milliseconds(50)
    /// The longest sleep without anything to wait for; only a bound, a wake-up ends it.
    private static let longestPoll: Int32 = 1000

    private let start: Start
    private var queue: AdmissionQueue<Submission>
    /// Every one that was made, by its place.
    private var transfers: [Transfer] = []
    private var idle: [Transfer] = []
    private var nextSweep: ContinuousClock.Instant

    init(_ start: Start) {
        self.start = start
        queue = AdmissionQueue(
            slots: start.limits.maximumInFlight,
            slotsPerOrigin: start.limits.maximumConnectionsPerHost)
        nextSweep = .now
    }

    /// Runs until the mailbox is closed, then fails what is left.
    func run() {
        Self.blockBrokenPipeSignal()
        while !start.mailbox.isClosed {
            for order in start.mailbox.drain() { take(order) }
            sweep()
            // A transfer is begun before the next order is taken, which could end it: what it says
            // of itself is its own then. A slot that comes free is filled before the wait.
            while admit() { start.multi.moveOn(finished: finish) }
            start.multi.wait(
                upToMilliseconds: queue.count > 0 ? 50 : Self.longestPoll, finished: finish)
            start.multi.moveOn(finished: finish)
        }
        for transfer in transfers where transfer.isActive {
            abandon(transfer, .closed, "the sender was shut down")
        }
        for waiting in queue.removeAll(where: { _ in true }) {
            answer(waiting, .closed, "the sender was shut down")
        }
    }

    /// libcurl is told to leave signals alone, and TLS writes with write(2): without this a peer
    /// that closes early would kill the process.
    private static func blockBrokenPipeSignal() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private func take(_ order: DriverOrder) {
        switch order {
        case .start(let submission) where submission.ticket.isCancelled:
            answer(submission, .cancelled, "the task was cancelled")
        case .start(let submission):
            queue.append(submission, origin: submission.request.target.origin)
        case .cancel(let ticket):
            for waiting in queue.removeAll(where: { $0.ticket === ticket }) {
                answer(waiting, .cancelled, "the task was cancelled")
            }
            if let transfer = transfers.first(where: {
                $0.isActive && $0.submission.ticket === ticket
            }) {
                abandon(transfer, .cancelled, "the task was cancelled")
            }
        }
    }

    private func sweep() {
        guard queue.count > 0 else { return }
        let now = ContinuousClock.now
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        for late in queue.removeAll(where: { $0.deadline <= now }) {
            answer(late, .timeout, "no slot came free in time")
        }
    }

    /// Starts whoever may start; says whether anyone did.
    private func admit() -> Bool {
        var hasAdmitted = false
        while let admitted = queue.next() {
            let remaining = ContinuousClock.now.duration(to: admitted.element.deadline)
            guard remaining > .zero else {
                queue.finish(admitted.line)
                answer(admitted.element, .timeout, "no slot came free in time")
                continue
            }
            let transfer = idle.popLast() ?? newTransfer()
            transfer.prepare(admitted, remaining: remaining)
            start.multi.add(transfer.easy)
            hasAdmitted = true
        }
        return hasAdmitted
    }

    private func newTransfer() -> Transfer {
        let transfer = Transfer(
            place: transfers.count, policy: start.policy, limits: start.limits,
            certificateAuthorities: start.certificateAuthorities, sockets: start.multi.sockets)
        transfers.append(transfer)
        return transfer
    }

    private func finish(_ place: Int, _ code: CURLcode) {
        let transfer = transfers[place]
        let outcome = transfer.outcome(of: code)
        report(transfer, outcome)
        release(transfer, with: outcome)
    }

    /// Ends a transfer from our side.
    private func abandon(_ transfer: Transfer, _ code: HTTPError.Code, _ message: String) {
        release(transfer, with: .failure(transfer.failure(code, message)))
    }

    private func answer(_ submission: Submission, _ code: HTTPError.Code, _ message: String) {
        submission.fail(code, message)
        start.answered()
    }

    private func release(_ transfer: Transfer, with outcome: Result<HTTPResponse, HTTPError>) {
        let admitted = transfer.admitted
        start.multi.remove(transfer.easy)
        queue.finish(admitted.line)
        transfer.end()
        idle.append(transfer)
        admitted.element.resume(with: outcome)
        start.answered()
    }

    private func report(_ transfer: Transfer, _ outcome: Result<HTTPResponse, HTTPError>) {
        let host = transfer.submission.request.target.host
        switch outcome {
        case .success(let response):
            start.logger.trace(
                "a request was answered",
                metadata: ["http.host": "\(host)", "http.status": "\(response.status)"])
        case .failure(let failure) where failure.code == .blockedAddress:
            start.logger.warning(
                "the address guard refused a host",
                metadata: ["http.host": "\(host)", "count": "\(transfer.deniedCount)"])
        case .failure(let failure):
            start.logger.debug(
                "a request failed",
                metadata: ["http.host": "\(host)", "error.code": "\(failure.code.rawValue)"])
        }
    }
}
