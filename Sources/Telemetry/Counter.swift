import Synchronization

/// One series of a counter: it only grows.
///
/// Adding is one atomic instruction, from any thread.
package final class Counter: MetricSeries {
    private let value = Atomic<UInt64>(0)

    package init(_ shape: Void) {}

    /// Counts `count` more; none or fewer change nothing.
    package func add(_ count: Int = 1) {
        guard count > 0 else { return }
        value.wrappingAdd(UInt64(count), ordering: .relaxed)
    }

    /// How many so far.
    package var total: UInt64 { value.load(ordering: .relaxed) }

    package var reading: MetricSnapshot.Value? { .number(Double(total)) }
}
