import Logging
import Mailbox
import NIOCore

/// The part of a subscription that lives on its event loop: connect, shake hands, subscribe, hear.
///
/// Invariant that makes it Sendable: every variable is touched on `loop` only, except `session`, which
/// has a lock.
final class SubscriptionCore: RedisChannelListener, @unchecked Sendable {
    struct Session: Sendable {
        var isOpen = false
        var count = 0
    }

    private enum State {
        case idle
        case connecting
        /// The handshake is under way, and its replies so far.
        case handshaking(any Channel, Handshake, [RedisValue])
        /// So many patterns are not yet confirmed.
        case subscribing(any Channel, missing: Int)
        case subscribed(any Channel)
        case pausing(Scheduled<Void>)
        case closed
    }

    let loop: any EventLoop
    let session = Locked(Session())
    private let connector: ChannelConnector
    private let address: RedisAddress
    private let patterns: [String]
    private let options: RedisOptions
    private let limits: RedisSubscription.Limits
    private let buffer: MessageBuffer
    private let logger: Logger

    private var state = State.idle
    private var number: ConnectionNumber = 0
    private var random: any RandomNumberGenerator & Sendable
    private var failedAttempts = 0
    private var outageBegan: NIODeadline?
    private var heardAt = NIODeadline.uptimeNanoseconds(0)
    private var watch: Scheduled<Void>?

    init(
        loop: any EventLoop, connector: ChannelConnector, address: RedisAddress,
        patterns: [String], options: RedisOptions, limits: RedisSubscription.Limits,
        buffer: MessageBuffer, random: any RandomNumberGenerator & Sendable, logger: Logger
    ) {
        self.loop = loop
        self.connector = connector
        self.address = address
        self.patterns = patterns
        self.options = options
        self.limits = limits
        self.buffer = buffer
        self.random = random
        self.logger = logger
    }

    /// Begins; safe from any thread.
    func start() { loop.execute { self.connect() } }

    /// Ends everything; the future completes when the channel is closed.
    func shutdown() -> EventLoopFuture<Void> {
        let open = channel
        if case .pausing(let timer) = state { timer.cancel() }
        state = .closed
        number += 1
        watch?.cancel()
        session.withLock { $0.isOpen = false }
        guard let open else { return loop.makeSucceededVoidFuture() }
        open.close(promise: nil)
        return open.closeFuture
    }

    private var channel: (any Channel)? {
        switch state {
        case .handshaking(let channel, _, _), .subscribing(let channel, _),
            .subscribed(let channel):
            channel
        case .idle, .connecting, .pausing, .closed: nil
        }
    }

    // MARK: Connect

    private func connect() {
        if case .closed = state { return }
        number += 1
        let number = number
        state = .connecting
        let limit = limits.messageBytes
        connector.connect(loop) {
            RedisChannelHandler(listener: self, number: number, maximumReplyBytes: limit)
        }.whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel, number: number)
            case .failure(let error):
                guard number == self.number else { return }
                self.pause(
                    error as? RedisError ?? RedisError(.connect, "cannot connect: \(error)"))
            }
        }
    }

    private func connected(_ channel: any Channel, number: ConnectionNumber) {
        guard number == self.number else {
            channel.close(promise: nil)  // closed by its owner meanwhile
            return
        }
        let handshake = Handshake(address: address, clientName: options.clientName)
        state = .handshaking(channel, handshake, [])
        heardAt = loop.now
        keepWatch(number)
        send(handshake.commands, on: channel)
    }

    private func send(_ commands: [RedisCommand], on channel: any Channel) {
        var bytes = channel.allocator.buffer(capacity: commands.reduce(0) { $0 + $1.wireSize })
        for command in commands { command.write(to: &bytes) }
        channel.writeAndFlush(bytes, promise: nil)
    }

    // MARK: Hear

    func received(_ reply: RedisValue, on channel: ConnectionNumber) {
        guard channel == number else { return }
        heardAt = loop.now
        switch state {
        case .handshaking(let channel, let handshake, let replies):
            advance(handshake, replies + [reply], on: channel)
        case .subscribing(let channel, let missing): confirm(reply, missing, on: channel)
        case .subscribed:
            if let message = RedisMessage(reply) {
                buffer.add(message)
            } else if let error = reply.serverError {
                lose(RedisError(error, answering: "PSUBSCRIBE"))
            }
        case .idle, .connecting, .pausing, .closed: break
        }
    }

    private func advance(
        _ handshake: Handshake, _ replies: [RedisValue], on channel: any Channel
    ) {
        guard replies.count == handshake.commands.count else {
            state = .handshaking(channel, handshake, replies)
            return
        }
        do throws(RedisError) {
            _ = try handshake.clientID(from: replies)
            state = .subscribing(channel, missing: patterns.count)
            send([RedisCommand("PSUBSCRIBE", patterns)], on: channel)
        } catch {
            connector.refused()
            lose(error)
        }
    }

    private func confirm(_ reply: RedisValue, _ missing: Int, on channel: any Channel) {
        if let error = reply.serverError {
            return lose(RedisError(error, answering: "PSUBSCRIBE"))
        }
        if let message = RedisMessage(reply) { return buffer.add(message) }
        guard reply.array?.first?.string == "psubscribe" else { return }
        guard missing == 1 else {
            state = .subscribing(channel, missing: missing - 1)
            return
        }
        state = .subscribed(channel)
        failedAttempts = 0
        session.withLock { session in
            session.isOpen = true
            session.count += 1
        }
        endOutage()
    }

    func ended(_ error: RedisError, on channel: ConnectionNumber) {
        guard channel == number else { return }
        lose(error)
    }

    // MARK: Lose

    /// A peer that is gone without a word is found out by what it does not answer.
    private func keepWatch(_ number: ConnectionNumber) {
        let period = TimeAmount(bounded: limits.ping)
        watch = loop.scheduleTask(in: period) {
            guard number == self.number else { return }
            if self.loop.now - self.heardAt >= period * 2 {
                return self.lose(RedisError(.timeout, "the server says nothing any more"))
            }
            if case .subscribed(let channel) = self.state {
                self.send([RedisCommand("PING")], on: channel)
            }
            self.keepWatch(number)
        }
    }

    private func lose(_ error: RedisError) {
        let lost = channel
        number += 1
        watch?.cancel()
        session.withLock { $0.isOpen = false }
        pause(error)
        lost?.discard()
    }

    private func pause(_ error: RedisError) {
        if case .closed = state { return }
        beginOutage(error)
        let delay = TimeAmount(
            bounded: options.reconnect.delay(attempt: failedAttempts, using: &random))
        failedAttempts += 1
        state = .pausing(loop.scheduleTask(in: delay) { self.connect() })
    }

    // MARK: Outages: one line when one begins, one when it ends

    private func beginOutage(_ error: RedisError) {
        guard outageBegan == nil else { return }
        outageBegan = loop.now
        logger.warning(
            "what is published on Redis is not heard",
            metadata: [
                "redis.address": "\(address)", "error.code": "\(error.code)",
                "error.message": "\(error.message)",
            ])
    }

    private func endOutage() {
        guard let began = outageBegan else { return }
        outageBegan = nil
        let seconds = Double((loop.now - began).nanoseconds) / 1e9
        logger.notice(
            "what is published on Redis is heard again",
            metadata: ["redis.address": "\(address)", "outage_s": "\(seconds)"])
    }
}
