package import Logging
import Mailbox
import NIOCore
import NIOPosix

/// One connection to Redis, shared by any number of tasks.
///
/// Commands are formatted on the caller's thread and left in a mailbox; the connection's event loop
/// takes all that wait and writes them with one flush. Replies come back in that order.
///
/// It connects when the first command is sent, and reconnects by itself. Commands sent while there
/// is no connection wait for one, up to their own timeout. **When the connection breaks, commands
/// under way fail with `.connectionLost` and may or may not have been executed**: nothing is sent
/// twice, so the caller decides what is safe to repeat. A command whose reply does not come in time
/// fails with `.timeout` and takes the connection with it, as later replies could no longer be told
/// apart.
///
/// A server that says that it takes no writes (`READONLY` and the like) is left as soon as everything
/// under way is answered: the next connection looks up anew where to go.
///
/// A blocking command (`BLMOVE`) holds up every command behind it: give it a connection of its own
/// and a timeout longer than its own waiting time.
package final class RedisConnection: Sendable {
    /// Where this connection goes.
    package let address: RedisAddress
    let core: ConnectionCore
    /// Runs tasks where this connection's replies arrive; for tasks that are brief between their waits.
    package let executor: any TaskExecutor
    private let options: RedisOptions
    private let mailbox: Mailbox<PendingRequest>

    /// Makes a connection that opens with its first command; `random` spreads the reconnections.
    package convenience init(
        address: RedisAddress, options: RedisOptions = RedisOptions(), logger: Logger,
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        let connector = ChannelConnector.reaching(
            address.endpoint, timeout: TimeAmount(bounded: options.connectTimeout))
        self.init(
            core: ConnectionCore(
                loop: MultiThreadedEventLoopGroup.singleton.any(), connector: connector,
                address: address, options: options, random: random, logger: logger))
    }

    init(core: ConnectionCore) {
        self.core = core
        address = core.address
        options = core.options
        executor = LoopExecutor(core.loop)
        mailbox = core.openMailbox()
    }

    deinit {
        refuseAll()
        core.loop.execute { [core] in _ = core.shutdown() }
    }

    /// The `CLIENT ID` of the current connection, nil while there is none: another connection can
    /// wake this one's blocking command with `CLIENT UNBLOCK`.
    package var clientID: Int64? { core.clientID.withLock { $0 } }

    /// The shortest round trip of the last hundred or so; zero before the first.
    package var roundTrip: Duration { .nanoseconds(core.roundTrip.withLock { $0.nanoseconds }) }

    /// Sends one command; an error reply is thrown as `.server`.
    package func send(
        _ command: RedisCommand, timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        let reply = try await exchange(command, timeout: timeout)
        if case .error(let error) = reply {
            throw RedisError(error, answering: command.name)
        }
        return reply
    }

    /// Sends commands in one write and returns all replies; error replies are values.
    ///
    /// With `connecting`, they wait so long for a connection, and `timeout` counts from the write:
    /// for commands that block, which a late start must not rob of their time.
    package func pipeline(
        _ commands: [RedisCommand], timeout: Duration? = nil, connecting: Duration? = nil
    ) async throws(RedisError) -> [RedisValue] {
        guard !commands.isEmpty else { return [] }
        guard !Task.isCancelled else { throw .cancelledBeforeSending }
        let request = PendingRequest(
            .many(commands), timeout: time(timeout),
            patience: connecting.map { TimeAmount(bounded: $0) })
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                request.completion = .many(continuation)
                submit(request)
            }
        } onCancel: {
            withdraw(request)
        }
        return try result.get()
    }

    /// Closes the connection for good and returns when the socket is closed.
    ///
    /// Pending and later commands fail with `.closed`.
    package func close() async {
        refuseAll()
        // The future cannot fail; a second call finds nothing left to do.
        try? await core.loop.flatSubmit { [core] in core.shutdown() }.get()
    }

    /// Sends one command and returns the reply, an error reply too.
    func exchange(
        _ command: RedisCommand, timeout: Duration?
    ) async throws(RedisError) -> RedisValue {
        guard !Task.isCancelled else { throw .cancelledBeforeSending }
        let request = PendingRequest(.one(command), timeout: time(timeout))
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                request.completion = .one(continuation)
                submit(request)
            }
        } onCancel: {
            withdraw(request)
        }
        return try result.get()
    }

    func submit(_ request: PendingRequest) {
        do {
            try mailbox.send(request)
        } catch {
            switch error {
            case .closed: request.fail(.connectionClosed)
            case .full: request.fail(.tooManyPending(options.maximumPendingCommands))
            }
        }
    }

    private func withdraw(_ request: PendingRequest) {
        core.loop.execute { [core] in core.abandon(request) }
    }

    /// Answers what the loop has not taken yet, and all that comes from now on.
    private func refuseAll() {
        for request in mailbox.close() { request.fail(.connectionClosed) }
    }

    private func time(_ timeout: Duration?) -> TimeAmount {
        TimeAmount(bounded: timeout ?? options.commandTimeout)
    }
}
