import NIOCore

/// A command that is sent again and again until it is cancelled or its connection closed.
///
/// The commands are made and sent on the connection's event loop, a thread of its own: they go on
/// even while job code blocks every thread of Swift's cooperative pool.
///
/// Invariant that makes it Sendable: every variable is touched on the core's event loop only.
package final class RedisRepetition: @unchecked Sendable {
    private let core: ConnectionCore
    private let period: TimeAmount
    private let timeout: TimeAmount
    private let command: @Sendable () -> RedisCommand?
    private let onReply: @Sendable (Result<RedisValue, RedisError>) -> Void

    private var timer: Scheduled<Void>?
    private var isUnanswered = false
    private var isCancelled = false

    init(
        core: ConnectionCore, period: TimeAmount, timeout: TimeAmount,
        command: @escaping @Sendable () -> RedisCommand?,
        onReply: @escaping @Sendable (Result<RedisValue, RedisError>) -> Void
    ) {
        self.core = core
        self.period = period
        self.timeout = timeout
        self.command = command
        self.onReply = onReply
    }

    /// Sends no further command; a reply under way may still be heard.
    package func cancel() {
        core.loop.execute {
            self.isCancelled = true
            self.timer?.cancel()
        }
    }

    func start() {
        core.loop.execute { self.beat(due: self.core.loop.now) }
    }

    private func beat(due: NIODeadline) {
        guard !isCancelled else { return }
        if case .closed = core.state { return onReply(.failure(.connectionClosed)) }
        let now = core.loop.now
        // A beat that is still unanswered is not followed by another: they would only pile up.
        if !isUnanswered, let command = command() { send(command, now: now) }
        let next = max(due + period, now)
        timer = core.loop.scheduleTask(deadline: next) { self.beat(due: next) }
    }

    private func send(_ command: RedisCommand, now: NIODeadline) {
        isUnanswered = true
        let request = PendingRequest(.one(command), timeout: timeout)
        request.completion = .callback { result in
            self.isUnanswered = false
            self.onReply(result.flatMap { Self.answer($0[0], to: command.name) })
        }
        core.accept(request, now: now)
        core.flush()
    }

    private static func answer(
        _ reply: RedisValue, to command: String
    ) -> Result<RedisValue, RedisError> {
        guard let error = reply.serverError else { return .success(reply) }
        return .failure(RedisError(error, answering: command))
    }
}

extension RedisConnection {
    /// Sends what `command` returns, now and then every `period`, until cancelled.
    ///
    /// Both closures run on the connection's event loop and must be brief: they hold up every
    /// reply. `command` may return nil to leave a beat out, and is not asked while the beat before
    /// is unanswered. An error reply reaches `onReply` as `.server`; after ``close()`` it hears
    /// `.closed`, once or twice.
    package func repeatedly(
        every period: Duration, timeout: Duration? = nil,
        _ command: @escaping @Sendable () -> RedisCommand?,
        onReply: @escaping @Sendable (Result<RedisValue, RedisError>) -> Void
    ) -> RedisRepetition {
        precondition(period > .zero, "a repetition needs time between its beats")
        let repetition = RedisRepetition(
            core: core, period: TimeAmount(bounded: period),
            timeout: TimeAmount(bounded: timeout ?? core.options.commandTimeout), command: command,
            onReply: onReply)
        repetition.start()
        return repetition
    }
}
