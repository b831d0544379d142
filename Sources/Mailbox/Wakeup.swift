private import CLinux
import Glibc

/// Lets any thread wake one that sleeps in `poll`.
///
/// Source: eventfd(2).
package struct Wakeup: ~Copyable, Sendable {
    /// For the owner's poll set; readable when signalled.
    package let descriptor: Int32

    package init() {
        descriptor = linux_eventfd()
        precondition(descriptor >= 0, "eventfd failed with errno \(errno)")
    }

    deinit { close(descriptor) }

    /// Makes the descriptor readable; callable from any thread.
    package func signal() { linux_eventfd_signal(descriptor) }

    /// Makes it unreadable again; for the owner.
    package func clear() { linux_eventfd_clear(descriptor) }
}
