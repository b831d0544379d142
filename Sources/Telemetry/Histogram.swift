import Synchronization

/// Upper bounds of a histogram's buckets, and what its whole numbers stand for.
package struct HistogramBounds: Sendable, Equatable {
    /// Inclusive upper bounds in grains, ascending; one more bucket takes what lies above.
    let grains: [UInt64]
    /// How many grains make one of the exposed unit.
    let grainsPerUnit: Double

    /// Bounds of durations, exposed in seconds and kept in nanoseconds.
    package static func durations(_ bounds: [Duration]) -> HistogramBounds {
        HistogramBounds(grains: bounds.map(\.grains), grainsPerUnit: 1e9)
    }

    /// Bounds of counts.
    package static func counts(_ bounds: [Int]) -> HistogramBounds {
        HistogramBounds(grains: bounds.map { UInt64($0) }, grainsPerUnit: 1)
    }

    private init(grains: [UInt64], grainsPerUnit: Double) {
        precondition(
            !grains.isEmpty && zip(grains, grains.dropFirst()).allSatisfy { $0 < $1 },
            "the bounds of a histogram ascend")
        self.grains = grains
        self.grainsPerUnit = grainsPerUnit
    }

    /// The bounds in the exposed unit.
    ///
    /// Divided, not multiplied: 0.001 is then the number people wrote, and not its neighbour.
    var exposed: [Double] {
        grains.map { Double($0) / grainsPerUnit }
    }
}

/// One series of a histogram.
///
/// An observation is a search among few bounds and two atomic additions.
package final class Histogram: MetricSeries {
    /// A count that has a place of its own in memory.
    private final class Cell: Sendable {
        let count = Atomic<UInt64>(0)
    }

    private let bounds: HistogramBounds
    private let cells: [Cell]
    private let sum = Atomic<UInt64>(0)

    package init(_ bounds: HistogramBounds) {
        self.bounds = bounds
        cells = (0...bounds.grains.count).map { _ in Cell() }
    }

    /// Notes a length of time; one below zero counts as zero.
    package func observe(_ duration: Duration) { observe(grains: duration.grains) }

    /// Notes a count; one below zero counts as zero.
    package func observe(_ count: Int) { observe(grains: UInt64(max(0, count))) }

    private func observe(grains value: UInt64) {
        var index = 0
        while index < bounds.grains.count, bounds.grains[index] < value { index += 1 }
        cells[index].count.wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(value, ordering: .relaxed)
    }

    /// The buckets now.
    ///
    /// The total is that of the buckets, so that the two always agree; the sum may be an observation
    /// ahead or behind.
    package var reading: MetricSnapshot.Value? {
        .histogram(
            MetricSnapshot.Buckets(
                bounds: bounds.exposed, counts: cells.map { $0.count.load(ordering: .relaxed) },
                sum: Double(sum.load(ordering: .relaxed)) / bounds.grainsPerUnit))
    }
}

extension Duration {
    /// Whole nanoseconds; zero when negative, the largest number when longer than 584 years.
    fileprivate var grains: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : whole &+ UInt64(attoseconds / 1_000_000_000)
    }
}
