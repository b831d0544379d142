import NIOCore

/// One question to one Sentinel, on a connection of its own.
///
/// Invariant that makes it Sendable: every variable is touched on the loop only, on which the
/// channel lives and the timer fires.
final class SentinelInquiry: RedisChannelListener, @unchecked Sendable {
    /// Its replies are two short lines.
    private static let maximumReplyBytes = 64 * 1024

    private let host: RedisSentinels.Host
    private let sentinels: RedisSentinels
    private let promise: EventLoopPromise<RedisSentinels.Host>
    private var missingReplies = 0
    private var channel: (any Channel)?
    private var timer: Scheduled<Void>?
    private var isOver = false

    private init(
        _ host: RedisSentinels.Host, of sentinels: RedisSentinels,
        promise: EventLoopPromise<RedisSentinels.Host>
    ) {
        self.host = host
        self.sentinels = sentinels
        self.promise = promise
    }

    /// Asks the Sentinel at `host` where the master is; fails with a `RedisError` that names it.
    static func ask(
        _ host: RedisSentinels.Host, of sentinels: RedisSentinels, within limit: TimeAmount,
        on loop: any EventLoop, open: SentinelConnector.Open
    ) -> EventLoopFuture<RedisSentinels.Host> {
        let promise = loop.makePromise(of: RedisSentinels.Host.self)
        let inquiry = SentinelInquiry(host, of: sentinels, promise: promise)
        inquiry.timer = loop.scheduleTask(in: limit) {
            inquiry.fail(.timeout, "does not answer")
        }
        let limit = maximumReplyBytes
        let endpoint = RedisAddress.Endpoint.tcp(host: host.host, port: host.port)
        open(endpoint, SentinelConnector.answerTimeout).connect(loop) {
            RedisChannelHandler(listener: inquiry, number: 0, maximumReplyBytes: limit)
        }.whenComplete { result in
            switch result {
            case .success(let channel): inquiry.begin(channel)
            case .failure(let error): inquiry.fail(.connect, "cannot be reached (\(error))")
            }
        }
        return promise.futureResult
    }

    private func begin(_ channel: any Channel) {
        guard !isOver else { return channel.close(promise: nil) }
        self.channel = channel
        var commands: [RedisCommand] = []
        if let password = sentinels.password {
            let user: [any RedisArgument] = sentinels.user.map { [$0] } ?? []
            commands.append(RedisCommand("AUTH", user + [password]))
        }
        commands.append(RedisCommand("SENTINEL", "get-master-addr-by-name", sentinels.master))
        missingReplies = commands.count
        var buffer = channel.allocator.buffer(capacity: commands.reduce(0) { $0 + $1.wireSize })
        for command in commands { command.write(to: &buffer) }
        channel.writeAndFlush(buffer, promise: nil)
    }

    func received(_ reply: RedisValue, on channel: ConnectionNumber) {
        missingReplies -= 1
        if let error = reply.serverError {
            let isRefusal =
                ["NOAUTH", "WRONGPASS", "NOPERM"].contains(error.code) || missingReplies > 0
            return isRefusal
                ? fail(
                    .authentication,
                    "refuses the sentinel_username or sentinel_password (\(error))",
                    serverCode: error.code)
                : fail(.connect, "refuses to answer (\(error))", serverCode: error.code)
        }
        guard missingReplies == 0 else { return }
        if reply.isNull { return fail(.connect, "knows no master named `\(sentinels.master)`") }
        guard let parts = reply.array, parts.count == 2, let name = parts[0].string,
            let port = parts[1].int, !name.isEmpty, 1...65_535 ~= port
        else { return fail(.protocolViolation, "gave an answer of another shape") }
        end(.success(RedisSentinels.Host(host: name, port: port)))
    }

    func ended(_ error: RedisError, on channel: ConnectionNumber) {
        fail(error.code, "broke off (\(error.message))")
    }

    private func fail(_ code: RedisError.Code, _ words: String, serverCode: String? = nil) {
        end(
            .failure(
                RedisError(code, "the Sentinel at \(host) \(words)", serverCode: serverCode)))
    }

    private func end(_ result: Result<RedisSentinels.Host, any Error>) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        channel?.close(promise: nil)
        promise.completeWith(result)
    }
}
