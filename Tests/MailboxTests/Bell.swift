import Glibc

@testable import Mailbox

/// A wakeup and the poll(2) that waits for it, as an owner's thread would use them.
final class Bell: Sendable {
    private let wakeup = Wakeup()

    func ring() { wakeup.signal() }

    /// Returns once it rang, and silences it; looks again after a second at most.
    func wait() {
        _ = poll(within: 1000)
        wakeup.clear()
    }

    var isRinging: Bool { poll(within: 0) }

    private func poll(within milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&entry, 1, milliseconds) == 1
    }
}
