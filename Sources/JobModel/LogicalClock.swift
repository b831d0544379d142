import Mailbox

/// A Lamport clock: orders events of many processes without a common time.
///
/// Every message sent carries the next value; every message received moves the clock beyond its own.
/// One for each process; safe from any thread.
///
/// Source: Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", 1978.
package final class LogicalClock: Sendable {
    private let count = Locked(0)

    package init() {}

    /// The present value.
    package var value: Int { count.withLock { $0 } }

    /// The value for a message that is sent now.
    package func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }

    /// Takes the value of a message that was received; none counts as zero.
    package func receive(_ other: Int?) {
        count.withLock { $0 = max($0, other ?? 0) + 1 }
    }
}
