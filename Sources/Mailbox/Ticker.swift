import Glibc

/// Calls a closure again and again from a thread of its own, whatever Swift's cooperative pool does.
package final class Ticker: Sendable {
    private let isStopped = Locked(false)

    /// Begins to call `beat`, which must be brief, every `microseconds` until stopped.
    package init(
        name: String, everyMicroseconds period: UInt32, _ beat: @escaping @Sendable () -> Void
    ) {
        let isStopped = isStopped
        let thread = OwnerThread(name: name) {
            while !isStopped.withLock({ $0 }) {
                beat()
                usleep(period)
            }
        }
        // Detached when it goes out of scope: the thread ends by itself after `stop()`.
        _ = thread
    }

    /// Ends the calls; one that is under way is finished.
    package func stop() { isStopped.withLock { $0 = true } }
}
