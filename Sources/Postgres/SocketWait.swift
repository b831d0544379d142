import Glibc
import Mailbox

/// The eventfd that wakes a connection's thread, shared with those who send to it.
final class Doorbell: Sendable {
    private let wakeup = Wakeup()

    func ring() { wakeup.signal() }
    func silence() { wakeup.clear() }
    var descriptor: Int32 { wakeup.descriptor }
}

/// Sleeps in poll(2) on a socket and a doorbell.
enum SocketWait {
    struct Readiness {
        var canRead = false
        var canWrite = false
        var wasRung = false
    }

    /// Waits until the socket is ready, the bell rings or the deadline comes.
    ///
    /// A hang-up counts as readable: reading is what reports it.
    static func wait(
        socket: Int32?, reading: Bool = true, writing: Bool, bell: Doorbell,
        until deadline: ContinuousClock.Instant?
    ) -> Readiness {
        var interest = Int16(0)
        if reading { interest |= Int16(POLLIN) }
        if writing { interest |= Int16(POLLOUT) }
        var descriptors = [
            pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket ?? -1, events: interest, revents: 0),
        ]
        _ = unsafe poll(&descriptors, 2, timeout(until: deadline))
        let events = Int32(descriptors[1].revents)
        let failure = events & (POLLERR | POLLHUP | POLLNVAL) != 0
        return Readiness(
            canRead: events & POLLIN != 0 || failure,
            canWrite: events & POLLOUT != 0 || failure,
            wasRung: descriptors[0].revents != 0)
    }

    /// Milliseconds for poll(2), rounded up; -1 is for ever.
    private static func timeout(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let rest = ContinuousClock.now.duration(to: deadline).milliseconds
        return Int32(clamping: max(0, rest))
    }

    /// Connects within the deadline; `interrupted` is asked whenever the bell rings.
    static func connect(
        _ parameters: ConnectionParameters, pipeline: Bool, bell: Doorbell, timeout: Duration,
        interrupted: () -> Bool
    ) throws(PostgresError) -> PostgresHandle {
        let deadline = ContinuousClock.now.advanced(by: timeout)
        let handle = try PostgresHandle(parameters)
        var progress = handle.isBroken ? PostgresHandle.Progress.failed : .wantsWrite
        while true {
            switch progress {
            case .connected:
                try handle.prepare(pipeline: pipeline)
                return handle
            case .failed:
                throw handle.connectError()
            case .wantsRead, .wantsWrite:
                let isWriting = progress == .wantsWrite
                let ready = wait(
                    socket: handle.socket, reading: !isWriting, writing: isWriting, bell: bell,
                    until: deadline)
                if ready.wasRung {
                    bell.silence()
                    if interrupted() { throw PostgresError(.closed, "the pool is shut down") }
                }
                if ready.canRead || ready.canWrite {
                    progress = handle.connectFurther()
                } else if ContinuousClock.now >= deadline {
                    throw PostgresError(.connect, "no connection within \(timeout)")
                }
            }
        }
    }
}
