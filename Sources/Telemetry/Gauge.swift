import Synchronization

/// One series of a gauge: a level that goes up and down.
package final class Gauge: MetricSeries {
    /// The bits of a `Double`, so that one atomic word holds it.
    private let bits = Atomic<UInt64>(Double.zero.bitPattern)

    package init(_ shape: Void) {}

    /// Sets the level.
    package func set(_ level: Double) { bits.store(level.bitPattern, ordering: .relaxed) }

    /// Changes the level by `difference`; concurrent changes are all counted.
    package func change(by difference: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + difference).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(
                expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    /// The level now.
    package var level: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    /// A level that is no number is not shown.
    package var reading: MetricSnapshot.Value? { level.isFinite ? .number(level) : nil }
}
