import Logging
import Mailbox
import NIOCore

// The life of the channel: connect, shake hands, be ready, be lost, pause, connect.
extension ConnectionCore {
    func connect() {
        number += 1
        let number = number
        let deadline = loop.now + TimeAmount(bounded: options.connectTimeout)
        state = .connecting
        let limit = options.maximumReplyBytes
        let channel = connector.connect(loop) {
            RedisChannelHandler(listener: self, number: number, maximumReplyBytes: limit)
        }
        channel.whenComplete { result in
            switch result {
            case .success(let channel):
                self.connected(channel, number: number, deadline: deadline)
            case .failure(let error):
                guard number == self.number else { return }
                self.attemptFailed(
                    error as? RedisError ?? RedisError(.connect, "cannot connect: \(error)"))
            }
        }
    }

    private func connected(
        _ channel: any Channel, number: ConnectionNumber, deadline: NIODeadline
    ) {
        guard number == self.number else {
            channel.close(promise: nil)  // the owner closed the connection meanwhile
            return
        }
        state = .handshaking(channel)
        let handshake = Handshake(address: address, clientName: options.clientName)
        let request = PendingRequest(.many(handshake.commands), timeout: .zero)
        request.completion = .callback { result in
            guard number == self.number else { return }
            self.handshakeEnded(result, handshake: handshake, channel: channel)
        }
        request.deadline = deadline
        admit(request)
        var buffer = channel.allocator.buffer(capacity: request.wireSize)
        launch(request, into: &buffer)
        watch(deadline)
        channel.writeAndFlush(buffer, promise: nil)
    }

    private func handshakeEnded(
        _ result: Result<[RedisValue], RedisError>, handshake: Handshake, channel: any Channel
    ) {
        do throws(RedisError) {
            let id = try handshake.clientID(from: try result.get())
            clientID.withLock { $0 = id }
            state = .ready(channel)
            failedAttempts = 0
            lastFailure = nil
            readySince = loop.now
            endOutage()
            flush()
        } catch {
            number += 1
            channel.discard()
            connector.refused()
            attemptFailed(error)
        }
    }

    /// Notes a failed attempt and plans the next.
    private func attemptFailed(_ error: RedisError) {
        lastFailure = error
        beginOutage(error)
        // Waiting will not make a password right; a caller should hear it at once.
        if error.code == .authentication { failWaiting(error) }
        let attempt = failedAttempts
        failedAttempts += 1
        pause(attempt: attempt)
    }

    private func pause(attempt: Int) {
        let delay = TimeAmount(bounded: options.reconnect.delay(attempt: attempt, using: &random))
        state = .pausing(loop.scheduleTask(in: delay) { self.connect() })
    }

    /// Gives the channel up: what is in flight fails, what waits goes on waiting.
    func lose(_ error: RedisError) {
        switch state {
        case .ready(let channel):
            beginOutage(error)
            leave(channel, because: error, pausing: 0)
        case .handshaking:
            // The handshake is the only request in flight: its callback does the rest.
            failInFlight(error)
        case .idle, .connecting, .pausing, .closed:
            break
        }
    }

    private func leave(_ channel: any Channel, because error: RedisError, pausing attempt: Int) {
        number += 1
        clientID.withLock { $0 = nil }
        lastFailure = error
        retirement = nil
        failedAttempts = 1
        pause(attempt: attempt)
        failInFlight(error)
        channel.discard()
    }

    // MARK: - Servers that are no longer the right one

    /// A connection that lasted longer is no part of a series of bad ones.
    private static let longestSeries = TimeAmount.seconds(10)

    /// Plans to leave a server that says it takes no writes: another may be the master by now.
    ///
    /// What is in flight is answered first, and nothing more is written. This is no outage: the
    /// server answers, and who asked has its error.
    private func retire(because error: RedisServerError) {
        retirement = error
        if loop.now - readySince > Self.longestSeries { retirements = 0 }
        logger.debug(
            "Redis takes no writes; connecting again",
            metadata: ["redis.address": "\(address)", "error.code": "\(error.code)"])
    }

    private func leaveIfRetired() {
        guard let retirement, inFlight.isEmpty, case .ready(let channel) = state else { return }
        let attempt = retirements
        retirements += 1
        leave(
            channel,
            because: RedisError(
                .connect, "the server takes no writes: \(retirement)", serverCode: retirement.code),
            pausing: attempt)
    }

    // MARK: - Outages: one line when one begins, one when it ends

    private func beginOutage(_ error: RedisError) {
        guard outageBegan == nil else {
            logger.debug("Redis is still unreachable", metadata: metadata(error))
            return
        }
        outageBegan = loop.now
        logger.error("Redis is unreachable", metadata: metadata(error))
    }

    private func endOutage() {
        guard let began = outageBegan else { return }
        outageBegan = nil
        let seconds = Double((loop.now - began).nanoseconds) / 1e9
        logger.notice(
            "Redis is reachable again",
            metadata: ["redis.address": "\(address)", "outage_s": "\(seconds)"])
    }

    private func metadata(_ error: RedisError) -> Logger.Metadata {
        [
            "redis.address": "\(address)", "error.code": "\(error.code)",
            "error.message": "\(error.message)",
        ]
    }
}

extension ConnectionCore: RedisChannelListener {
    func received(_ reply: RedisValue, on channel: ConnectionNumber) {
        guard channel == number else { return }
        guard let request = inFlight.first else {
            return lose(RedisError(.protocolViolation, "a reply came that nothing asked for"))
        }
        if request.isLastReplyNext {
            // Leaves the queue before it is answered: the handshake's answer makes this core move.
            inFlight.removeFirst()
            release(request)
            measure(request)
        }
        let isEstablished = if case .ready = state { true } else { false }
        request.receive(reply)
        if isEstablished, retirement == nil, case .error(let error) = reply,
            error.asksForAnotherServer
        {
            retire(because: error)
        }
        if retirement != nil { leaveIfRetired() }
    }

    func ended(_ error: RedisError, on channel: ConnectionNumber) {
        guard channel == number else { return }
        lose(
            RedisError(
                error.code, error.message + "; a command under way may have been executed",
                mayHaveBeenExecuted: true))
    }
}
