import Synchronization

/// A request on its way to the driver, and whoever waits for its answer.
///
/// Resumed exactly once: by the driver that took it, or by whoever closed the mailbox before.
final class Submission: Sendable {
    let request: PreparedRequest
    /// When the time for all of it runs out, waiting included.
    let deadline: ContinuousClock.Instant
    let ticket: Ticket
    private let continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>

    init(
        request: PreparedRequest, deadline: ContinuousClock.Instant, ticket: Ticket,
        continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>
    ) {
        self.request = request
        self.deadline = deadline
        self.ticket = ticket
        self.continuation = continuation
    }

    func resume(with result: Result<HTTPResponse, HTTPError>) {
        continuation.resume(returning: result)
    }

    /// Fails a request that never left.
    func fail(_ code: HTTPError.Code, _ message: String) {
        resume(
            with: .failure(HTTPError(code: code, host: request.target.host, message: message)))
    }
}

/// Names a submission before it exists, so that a cancellation can arrive first.
final class Ticket: Sendable {
    private let cancelled = Atomic(false)

    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    func cancel() { cancelled.store(true, ordering: .releasing) }
}
