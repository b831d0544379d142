private import CLinux
import Glibc
import Mailbox

/// Hands signals to ordinary code, on a thread that job code cannot block.
///
/// The signals must be blocked in every thread, so ``block(_:)`` comes first in the program: threads
/// inherit the mask of the one that makes them. A blocked signal waits in the kernel and is not lost
/// while nobody reads. Source: signalfd(2).
package final class SignalReader: Sendable {
    /// One signal, and which process sent it (0: the kernel, or one outside the container).
    package struct Received: Sendable {
        package let signal: ProcessSignal
        package let sender: Int32

        package init(_ signal: ProcessSignal, from sender: Int32 = 0) {
            self.signal = signal
            self.sender = sender
        }
    }

    private final class Source: Sendable {
        let descriptor: Int32
        let wakeup = Wakeup()
        let isClosed = Locked(false)

        init(_ signals: [ProcessSignal]) {
            var set = sigset_t.of(signals)
            // Safe: the set is read before the call returns.
            descriptor = unsafe linux_signalfd(&set)
            precondition(descriptor >= 0, "signalfd failed with errno \(errno)")
        }

        deinit { Glibc.close(descriptor) }

        func run(_ handle: (Received) -> Void) {
            while true {
                var polled = [
                    pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0),
                ]
                // Safe: the array outlives the call, and its length is given.
                _ = unsafe poll(&polled, nfds_t(polled.count), -1)
                wakeup.clear()
                if isClosed.withLock({ $0 }) { return }
                while let received = next() { handle(received) }
            }
        }

        private func next() -> Received? {
            while true {
                var sender: Int32 = 0
                // Safe: `sender` is written before the call returns.
                let number = unsafe linux_next_signal(descriptor, &sender)
                guard number != 0 else { return nil }
                guard let signal = ProcessSignal(rawValue: number) else { continue }
                return Received(signal, from: sender)
            }
        }
    }

    private let source: Source
    private let thread: OwnerThread

    /// Holds these signals back from the calling thread, and from all that it makes from now on.
    package static func block(_ signals: [ProcessSignal]) {
        var set = sigset_t.of(signals)
        // Safe: the set is read before the call returns.
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Calls `handle` for each of these signals, one at a time, on a thread of its own; signals
    /// that came since they were blocked come first.
    package init(_ signals: [ProcessSignal], _ handle: @escaping @Sendable (Received) -> Void) {
        Self.block(signals)
        let source = Source(signals)
        self.source = source
        thread = OwnerThread(name: "signals") { source.run(handle) }
    }

    /// Reads no more; what comes from now on waits in the kernel.
    package func close() {
        source.isClosed.withLock { $0 = true }
        source.wakeup.signal()
    }

    deinit { close() }
}
