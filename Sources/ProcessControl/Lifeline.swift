import Glibc
import Mailbox

/// A child's end of the line to the process that started it: it reports up, and learns at once when
/// that process is gone, however it ended.
///
/// The line is a socket pair whose other end only the parent holds, so its end is seen as the end of
/// the stream. One thread waits; any thread may send and wake.
package final class Lifeline: Sendable {
    /// The descriptor at which a spawned process finds its end.
    package static let descriptor: Int32 = 3
    /// The longest line that is sent and heard, in bytes.
    package static let maximumLineBytes = 8192

    /// Why ``wait(for:)`` returned.
    package enum Wait: Sendable {
        case elapsed
        case woken
        /// The parent is gone; said once.
        case orphaned
    }

    private let socket: Locked<Int32?>
    private let wakeup = Wakeup()

    /// A line of a process that nobody of ours started: it only waits.
    package init() { socket = Locked(nil) }

    /// The line that a parent left at `descriptor`; nil when there is none.
    package init?(inherited descriptor: Int32) {
        var kind: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // Safe: both are written before the call returns.
        let failure = unsafe getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &length)
        guard failure == 0, kind == Int32(SOCK_SEQPACKET.rawValue) else { return nil }
        // What a job starts must not hold the line.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        socket = Locked(descriptor)
    }

    /// Sends one line; false when it was dropped, because the parent is gone or does not read.
    @discardableResult
    package func send(_ line: [UInt8]) -> Bool {
        guard let descriptor = socket.withLock({ $0 }) else { return false }
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        // Safe: the bytes are read before the call returns.
        let sent = unsafe line.withUnsafeBytes { bytes in
            unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)
        }
        return sent == line.count
    }

    /// Waits until the time is over, ``wake()`` is called, or the parent is gone.
    package func wait(for time: Duration) -> Wait {
        let descriptor = socket.withLock { $0 }
        let end = SteadyTime.now + time
        while true {
            var polled = [
                pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            // Safe: the array outlives the call, and its length is given.
            let count = unsafe poll(
                &polled, nfds_t(polled.count), (end - SteadyTime.now).pollTimeout)
            if count == 0 { return .elapsed }
            if polled[0].revents != 0 {
                wakeup.clear()
                return .woken
            }
            if polled[1].revents != 0, let descriptor, hasEnded(descriptor) { return .orphaned }
        }
    }

    /// Ends the present wait, or the next.
    package func wake() { wakeup.signal() }

    private func hasEnded(_ descriptor: Int32) -> Bool {
        var byte: UInt8 = 0
        // Safe: at most one byte is written before the call returns. Parents send nothing.
        let count = unsafe recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT))
        if count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR)) { return false }
        socket.withLock { $0 = nil }
        return true
    }
}
