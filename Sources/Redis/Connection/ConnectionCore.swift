import Logging
import Mailbox
import NIOCore

/// The part of a connection that lives on its event loop: queues, deadlines, the channel.
///
/// Invariant that makes it Sendable: every variable is touched on `loop` only, except `mailbox`,
/// which is set once before the core is shared, and `clientID` and `roundTrip`, which have locks.
///
/// A request is `waiting` until a channel is ready, then written and `inFlight` in the order of
/// writing, which is the order of Redis' replies. `maximumPendingCommands` and
/// `maximumPendingBytes` bound both queues together.
final class ConnectionCore: @unchecked Sendable {
    enum State {
        /// Nothing was sent yet.
        case idle
        case connecting
        case handshaking(any Channel)
        case ready(any Channel)
        /// Between two attempts to connect.
        case pausing(Scheduled<Void>)
        case closed
    }

    let loop: any EventLoop
    let address: RedisAddress
    let options: RedisOptions
    let logger: Logger
    let connector: ChannelConnector
    let clientID = Locked<Int64?>(nil)
    let roundTrip = Locked(TimeAmount.zero)
    private(set) var mailbox: Mailbox<PendingRequest>?

    var state = State.idle
    var number: ConnectionNumber = 0
    var random: any RandomNumberGenerator & Sendable
    var failedAttempts = 0
    var lastFailure: RedisError?
    var outageBegan: NIODeadline?
    /// Why the present connection is left once nothing is in flight on it any more.
    var retirement: RedisServerError?
    /// Connections left one soon after the other.
    var retirements = 0
    var readySince = NIODeadline.uptimeNanoseconds(0)
    var waiting = CircularBuffer<PendingRequest>()
    var inFlight = CircularBuffer<PendingRequest>()
    private var leastRoundTrip = LeastRoundTrip()
    private var pendingCommands = 0
    private var pendingBytes = 0
    var deadlineTimer: (at: NIODeadline, timer: Scheduled<Void>)?

    init(
        loop: any EventLoop, connector: ChannelConnector, address: RedisAddress,
        options: RedisOptions, random: any RandomNumberGenerator & Sendable, logger: Logger
    ) {
        self.loop = loop
        self.connector = connector
        self.address = address
        self.options = options
        self.random = random
        self.logger = logger
    }

    /// Makes the way in; called once, before the core is shared.
    ///
    /// The mailbox knows the core weakly: the core owns the mailbox.
    func openMailbox() -> Mailbox<PendingRequest> {
        let box = Mailbox<PendingRequest>(limit: options.maximumPendingCommands) {
            [loop, weak self] in
            loop.execute { self?.drainMailbox() }
        }
        mailbox = box
        return box
    }

    // MARK: - From the caller to the wire

    /// Takes what callers left and writes it with one flush.
    func drainMailbox() {
        guard let mailbox else { return }
        let now = loop.now
        for request in mailbox.drain() { accept(request, now: now) }
        flush()
    }

    /// Queues a request; `flush()` sends it.
    func accept(_ request: PendingRequest, now: NIODeadline) {
        if request.isAbandoned { return request.fail(.cancelledBeforeSending) }
        if case .closed = state { return request.fail(.connectionClosed) }
        guard pendingCommands + request.count <= options.maximumPendingCommands else {
            return request.fail(.tooManyPending(options.maximumPendingCommands))
        }
        guard pendingBytes + request.wireSize <= options.maximumPendingBytes else {
            return request.fail(.tooManyBytesPending(options.maximumPendingBytes))
        }
        admit(request)
        request.phase = .waiting
        request.deadline = now + (request.patience ?? request.timeout)
        waiting.append(request)
        watch(request.deadline)
    }

    /// Writes all that waits if a channel is ready; begins to connect if none was ever asked for.
    func flush() {
        guard !waiting.isEmpty else { return }
        switch state {
        case .ready(let channel):
            if retirement == nil { write(to: channel) }
        case .idle:
            connect()
        case .connecting, .handshaking, .pausing, .closed:
            break
        }
    }

    private func write(to channel: any Channel) {
        let size = waiting.reduce(0) { $0 + ($1.isAbandoned ? 0 : $1.wireSize) }
        var buffer = channel.allocator.buffer(capacity: size)
        while let request = waiting.popFirst() {
            if request.isAbandoned {
                release(request)
            } else {
                launch(request, into: &buffer)
            }
        }
        if buffer.readableBytes > 0 { channel.writeAndFlush(buffer, promise: nil) }
    }

    func launch(_ request: PendingRequest, into buffer: inout ByteBuffer) {
        request.phase = .inFlight
        request.sentAt = loop.now
        if request.patience != nil {
            request.deadline = request.sentAt + request.timeout
            watch(request.deadline)
        }
        request.write(to: &buffer)
        inFlight.append(request)
    }

    /// Notes how long the answer took, unless it was waited for on purpose.
    func measure(_ request: PendingRequest) {
        guard request.patience == nil else { return }
        let least = leastRoundTrip.record(loop.now - request.sentAt)
        roundTrip.withLock { $0 = least }
    }

    /// Answers a caller whose task was cancelled; the place in the queue stays, so that replies
    /// still meet their requests.
    func abandon(_ request: PendingRequest) {
        request.isAbandoned = true
        switch request.phase {
        case .submitted: break  // accept() will see it
        case .waiting: request.fail(.cancelledBeforeSending)
        case .inFlight: request.fail(.cancelledInFlight)
        }
    }

    // MARK: - Limits

    func admit(_ request: PendingRequest) {
        pendingCommands += request.count
        pendingBytes += request.wireSize
    }

    /// For each request that leaves a queue, answered or not.
    func release(_ request: PendingRequest) {
        pendingCommands -= request.count
        pendingBytes -= request.wireSize
    }

    // MARK: - Failing

    func failWaiting(_ error: RedisError) {
        while let request = waiting.popFirst() {
            release(request)
            request.fail(error)
        }
    }

    func failInFlight(_ error: RedisError) {
        while let request = inFlight.popFirst() {
            release(request)
            request.fail(error)
        }
    }

    /// Ends everything; the future completes when the channel is closed.
    func shutdown() -> EventLoopFuture<Void> {
        let channel: (any Channel)?
        switch state {
        case .handshaking(let open), .ready(let open): channel = open
        case .pausing(let timer):
            timer.cancel()
            channel = nil
        case .idle, .connecting, .closed: channel = nil
        }
        state = .closed
        number += 1
        clientID.withLock { $0 = nil }
        deadlineTimer?.timer.cancel()
        deadlineTimer = nil
        failInFlight(.connectionClosed)
        failWaiting(.connectionClosed)
        guard let channel else { return loop.makeSucceededVoidFuture() }
        channel.close(promise: nil)
        return channel.closeFuture
    }
}

extension RedisError {
    static let connectionClosed = RedisError(.closed, "the connection was closed by its owner")
    static let cancelledBeforeSending = RedisError(.cancelled, "the caller was cancelled")
    static let cancelledInFlight = RedisError(
        .cancelled, "the caller was cancelled; the command may have been executed",
        mayHaveBeenExecuted: true)

    static func tooManyPending(_ limit: Int) -> RedisError {
        RedisError(.overloaded, "more than \(limit) commands would be pending")
    }

    static func tooManyBytesPending(_ limit: Int) -> RedisError {
        RedisError(.overloaded, "more than \(limit) bytes would be pending")
    }
}
