import Mailbox

/// What a listener hears.
package enum PostgresNotification: Sendable, Equatable {
    /// `LISTEN` is in force from here on. Whatever was sent between an earlier connection, or the
    /// consumer falling behind, and now may have been missed.
    case listening(mayHaveMissed: Bool)
    /// A `NOTIFY` on the channel.
    case received(channel: String, payload: String)
}

/// The thread of one `LISTEN` connection: not a pipeline, reconnects until it is stopped.
final class ListenerDriver: Sendable {
    private let channel: String
    private let options: PostgresOptions
    private let parameters: ConnectionParameters
    private let outage: OutageLog
    private let continuation: AsyncStream<PostgresNotification>.Continuation
    private let bell = Doorbell()
    private let isStopped = Locked(false)
    private let hasExited = Locked(false)
    private let exit = ThreadExit()
    private let thread = Locked<OwnerThread?>(nil)

    private init(
        channel: String, options: PostgresOptions, parameters: ConnectionParameters,
        outage: OutageLog, continuation: AsyncStream<PostgresNotification>.Continuation
    ) {
        self.channel = channel
        self.options = options
        self.parameters = parameters
        self.outage = outage
        self.continuation = continuation
    }

    /// Starts the thread; it ends when the stream is no longer consumed, or with ``stop()``.
    static func start(
        channel: String, options: PostgresOptions, parameters: ConnectionParameters,
        outage: OutageLog, continuation: AsyncStream<PostgresNotification>.Continuation
    ) -> ListenerDriver {
        let driver = ListenerDriver(
            channel: channel, options: options, parameters: parameters, outage: outage,
            continuation: continuation)
        continuation.onTermination = { [weak driver] _ in driver?.stop() }
        let thread = OwnerThread(name: "postgres-listen") {
            driver.run()
            driver.noteExit()
        }
        driver.thread.withLock { $0 = thread }
        return driver
    }

    var hasEnded: Bool { hasExited.withLock { $0 } }

    func stop() {
        isStopped.withLock { $0 = true }
        bell.ring()
    }

    /// Waits for the end of the thread.
    func ended() async {
        await exit.wait()
        thread.withLock { $0 }?.join()
    }

    private func noteExit() {
        hasExited.withLock { $0 = true }
        exit.note()
    }

    private var mustStop: Bool { isStopped.withLock { $0 } }

    private func run() {
        var backoff = ReconnectBackoff()
        var random = SystemRandomNumberGenerator()
        var mayHaveMissed = false
        while !mustStop {
            do throws(PostgresError) {
                let handle = try SocketWait.connect(
                    parameters, pipeline: false, bell: bell, timeout: options.connectTimeout
                ) { mustStop }
                try listen(on: handle)
                backoff.reset()
                outage.noteSuccess()
                yield(.listening(mayHaveMissed: mayHaveMissed))
                mayHaveMissed = true
                try receive(from: handle)
            } catch {
                outage.note(error)
                pause(backoff.delay(using: &random))
            }
        }
        continuation.finish()
    }

    private func pause(_ delay: Duration) {
        let end = ContinuousClock.now.advanced(by: delay)
        while !mustStop, ContinuousClock.now < end {
            _ = SocketWait.wait(socket: nil, writing: false, bell: bell, until: end)
        }
    }

    private func listen(on handle: borrowing PostgresHandle) throws(PostgresError) {
        // An identifier, which cannot be a parameter: doubled quotes are all it needs.
        let name = channel.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"")
        guard !channel.isEmpty, !channel.utf8.contains(0) else {
            throw PostgresError(.server, "the channel has no usable name")
        }
        try handle.sendScript("listen \"\(name)\"")
        let deadline = ContinuousClock.now.advanced(by: options.guardTimeout)
        while true {
            let isWriting = try handle.flush()
            while !handle.isBusy {
                guard let result = handle.nextResult() else { return }
                if case .failed = result.kind { throw result.error() }
            }
            let ready = SocketWait.wait(
                socket: handle.socket, writing: isWriting, bell: bell, until: deadline)
            if ready.canRead { try handle.consume() }
            if mustStop { throw PostgresError(.closed, "the pool is shut down") }
            if ContinuousClock.now >= deadline {
                throw PostgresError(.timeout, "no answer within \(options.guardTimeout)")
            }
        }
    }

    private func receive(from handle: borrowing PostgresHandle) throws(PostgresError) {
        while !mustStop {
            while let notification = handle.nextNotification() {
                yield(
                    .received(channel: notification.channel, payload: notification.payload))
            }
            let ready = SocketWait.wait(
                socket: handle.socket, writing: false, bell: bell, until: nil)
            if ready.wasRung { bell.silence() }
            if ready.canRead {
                try handle.consume()
                // Takes in what has arrived; without it a notification is not seen.
                _ = handle.isBusy
                if handle.isBroken { throw handle.lost() }
            }
        }
    }

    /// Hands an event on; says so when older ones had to make room.
    private func yield(_ event: PostgresNotification) {
        if case .dropped = continuation.yield(event) {
            continuation.yield(.listening(mayHaveMissed: true))
        }
    }
}
