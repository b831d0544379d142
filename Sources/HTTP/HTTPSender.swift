package import Logging
import Mailbox

/// Sends HTTP requests through libcurl, many at once, from one thread.
///
/// The C functions used are those of curl_multi_poll(3) and curl_easy_setopt(3), and the URL parser
/// of curl_url_set(3). All of them run on the sender's own thread, except the URL parser, which
/// shares nothing, and the wake-up, which is meant for it. Each sender has its own connection pool
/// and its own ``AddressPolicy``: a pooled connection is not judged again, so a pool must not serve
/// two policies. Redirects are returned, not followed; proxies of the environment are ignored.
///
/// Connections are kept alive. When a kept connection turns out to be dead before any byte of an
/// answer, libcurl sends the request once more on a fresh one; a server may thus see a request twice,
/// as with any at-least-once delivery.
package final class HTTPSender: Sendable {
    private let limits: HTTPLimits
    private let targets: TargetMemory
    private let multi: CurlMulti
    private let mailbox: Mailbox<DriverOrder>
    private let thread: OwnerThread
    private let load: Load
    private let ending = Ending()

    /// Starts the sender's thread.
    ///
    /// `certificateAuthorities` is the path of a PEM file to trust instead of the system's.
    package init(
        policy: AddressPolicy, limits: HTTPLimits, logger: Logger,
        certificateAuthorities: String? = nil
    ) {
        precondition(
            limits.maximumInFlight > 0 && limits.maximumConnectionsPerHost > 0,
            "a sender needs a slot")
        let multi = CurlMulti(limits: limits)
        let load = Load(limit: limits.maximumInFlight + limits.maximumQueued)
        // An order to start and one to cancel for each submission.
        let mailbox = Mailbox<DriverOrder>(limit: 2 * load.limit) { multi.wake() }
        let start = CurlDriver.Start(
            multi: multi, mailbox: mailbox, policy: policy, limits: limits,
            certificateAuthorities: certificateAuthorities, logger: logger,
            answered: { load.leave() })
        let ending = ending
        self.limits = limits
        targets = TargetMemory(limits: limits)
        self.multi = multi
        self.mailbox = mailbox
        self.load = load
        thread = OwnerThread(name: "http") {
            CurlDriver(start).run()
            ending.signal()
        }
    }

    deinit {
        // Nobody waits: a waiting caller would hold the sender.
        close()
    }

    /// Sends `request` and waits for the whole answer.
    ///
    /// Cancelling the Swift task ends the transfer.
    package func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        let target = try targets.target(of: request.url)
        let prepared = try PreparedRequest(request, to: target, limits: limits)
        guard load.enter() else {
            throw HTTPError(
                code: .overloaded, host: target.host,
                message: "\(load.limit) requests are waiting already")
        }
        let deadline = ContinuousClock.now + prepared.totalTimeout
        let ticket = Ticket()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                submit(
                    Submission(
                        request: prepared, deadline: deadline, ticket: ticket,
                        continuation: continuation))
            }
        } onCancel: {
            ticket.cancel()
            // Refused only when closed or flooded: then the transfer's own end will come.
            try? mailbox.send(.cancel(ticket))
        }
        return try result.get()
    }

    private func submit(_ submission: Submission) {
        do {
            try mailbox.send(.start(submission))
        } catch {
            load.leave()
            switch error {
            case .closed: submission.fail(.closed, "the sender was shut down")
            case .full: submission.fail(.overloaded, "too many requests are waiting already")
            }
        }
    }

    /// Fails whatever is under way, closes the connections and ends the thread; any number of times.
    package func shutdown() async {
        close()
        await ending.wait()
        thread.join()
    }

    private func close() {
        for case .start(let submission) in mailbox.close() {
            submission.fail(.closed, "the sender was shut down")
            load.leave()
        }
        multi.wake()
    }
}

/// How many requests are under way, against a limit.
private final class Load: Sendable {
    let limit: Int
    private let count = Locked(0)

    init(limit: Int) { self.limit = limit }

    func enter() -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    func leave() { count.withLock { $0 -= 1 } }
}

/// The end of the thread, as something to wait for without blocking.
private final class Ending: Sendable {
    private struct State {
        var isOver = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())

    func signal() {
        let waiters = state.withLock { state in
            state.isOver = true
            let waiters = state.waiters
            state.waiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { waiter in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiters.append(waiter) }
                return state.isOver
            }
            if isOver { waiter.resume() }
        }
    }
}
