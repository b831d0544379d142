import NIOCore

/// One command or pipeline on its way: what to write, whom to answer.
///
/// Invariant that makes it Sendable: `completion` is set before the request enters the mailbox,
/// whose lock publishes it; every other variable is touched on the connection's event loop only.
/// `complete` is called once: by the loop, or by the caller if the mailbox refused the request.
final class PendingRequest: @unchecked Sendable {
    enum Payload {
        case one(RedisCommand)
        case many([RedisCommand])
    }

    enum Completion {
        case one(CheckedContinuation<Result<RedisValue, RedisError>, Never>)
        case many(CheckedContinuation<Result<[RedisValue], RedisError>, Never>)
        /// Called on the event loop.
        case callback((Result<[RedisValue], RedisError>) -> Void)
    }

    enum Phase {
        /// The loop has not seen it.
        case submitted
        case waiting
        case inFlight
    }

    /// The number of replies it will get.
    let count: Int
    /// An upper bound of its bytes on the wire.
    let wireSize: Int
    let timeout: TimeAmount
    /// How long it may wait for a connection, if `timeout` counts from the write only.
    let patience: TimeAmount?
    var completion: Completion?

    var phase = Phase.submitted
    var isAbandoned = false
    var deadline = NIODeadline.distantFuture
    var sentAt = NIODeadline.uptimeNanoseconds(0)
    private var payload: Payload
    private var replies: [RedisValue] = []

    init(_ payload: Payload, timeout: TimeAmount, patience: TimeAmount? = nil) {
        self.payload = payload
        self.timeout = timeout
        self.patience = patience
        switch payload {
        case .one(let command):
            count = 1
            wireSize = command.wireSize
        case .many(let commands):
            count = commands.count
            wireSize = commands.reduce(0) { $0 + $1.wireSize }
        }
    }

    /// Writes the commands and lets go of them: nothing is ever sent twice.
    func write(to buffer: inout ByteBuffer) {
        switch payload {
        case .one(let command): command.write(to: &buffer)
        case .many(let commands): for command in commands { command.write(to: &buffer) }
        }
        payload = .many([])
    }

    /// Whether one more reply completes it.
    var isLastReplyNext: Bool { replies.count + 1 == count }

    /// Takes one reply and, if it was the last, answers the caller.
    func receive(_ reply: RedisValue) {
        if case .one(let continuation)? = completion {
            completion = nil
            return continuation.resume(returning: .success(reply))
        }
        replies.append(reply)
        if replies.count == count { complete(.success(replies)) }
    }

    /// Answers the caller, unless it was answered before.
    func fail(_ error: RedisError) { complete(.failure(error)) }

    private func complete(_ result: Result<[RedisValue], RedisError>) {
        switch completion {
        case .one(let continuation): continuation.resume(returning: result.map { $0[0] })
        case .many(let continuation): continuation.resume(returning: result)
        case .callback(let callback): callback(result)
        case nil: break
        }
        completion = nil
    }
}
