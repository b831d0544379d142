import Mailbox

/// Every metric of a process, in the order in which they were made.
///
/// Counting touches no lock of the registry: whoever counts keeps the series. A mistake in a name is
/// a bug and traps.
package final class MetricRegistry: Sendable {
    /// The most series of one metric; what comes later is counted as `other`.
    package static let maximumSeries = 1000
    /// The longest label value; longer ones are cut.
    package static let maximumLabelBytes = 128

    private struct Entry: Sendable {
        let description: MetricDescription
        let snapshot: @Sendable () -> MetricSnapshot.Family
    }

    private let entries = Locked<[Entry]>([])

    package init() {}

    /// Makes a counter; its name ends in `_total`.
    package func counter(
        _ name: String, _ help: String, labels: [String] = [],
        maximumSeries: Int = MetricRegistry.maximumSeries
    ) -> MetricFamily<Counter> {
        add(.counter, name, help, labels, shape: (), maximumSeries)
    }

    /// Makes a gauge.
    package func gauge(
        _ name: String, _ help: String, labels: [String] = [],
        maximumSeries: Int = MetricRegistry.maximumSeries
    ) -> MetricFamily<Gauge> {
        add(.gauge, name, help, labels, shape: (), maximumSeries)
    }

    /// Makes a histogram.
    package func histogram(
        _ name: String, _ help: String, labels: [String] = [], bounds: HistogramBounds,
        maximumSeries: Int = MetricRegistry.maximumSeries
    ) -> MetricFamily<Histogram> {
        add(.histogram, name, help, labels, shape: bounds, maximumSeries)
    }

    /// Makes a metric without labels whose value is asked for when metrics are read.
    ///
    /// Nil leaves it out. `read` runs on the thread that answers probes, so it must not wait.
    package func computed(
        _ kind: MetricDescription.Kind, _ name: String, _ help: String,
        read: @escaping @Sendable () -> Double?
    ) {
        precondition(kind != .histogram, "a histogram is observed, not computed")
        let description = describe(kind, name, help, [])
        register(description) {
            let value = read().flatMap { $0.isFinite ? $0 : nil }
            let sample = value.map { MetricSnapshot.Sample(labels: [], value: .number($0)) }
            return MetricSnapshot.Family(description, samples: sample.map { [$0] } ?? [])
        }
    }

    /// Names, kinds and labels of all metrics.
    package var descriptions: [MetricDescription] {
        entries.withLock { $0 }.map(\.description)
    }

    /// Every value now.
    package func snapshot() -> MetricSnapshot {
        // Closures of others run outside the lock.
        MetricSnapshot(families: entries.withLock { $0 }.map { $0.snapshot() })
    }

    private func add<Series: MetricSeries>(
        _ kind: MetricDescription.Kind, _ name: String, _ help: String, _ labels: [String],
        shape: Series.Shape, _ maximumSeries: Int
    ) -> MetricFamily<Series> {
        precondition(maximumSeries > 0, "\(name) needs room for one series")
        let description = describe(kind, name, help, labels)
        let family = MetricFamily<Series>(
            description, shape: shape, maximumSeries: maximumSeries)
        register(description) { family.snapshot() }
        return family
    }

    private func describe(
        _ kind: MetricDescription.Kind, _ name: String, _ help: String, _ labels: [String]
    ) -> MetricDescription {
        precondition(Self.isName(name), "\(name) is no name of a metric")
        precondition(
            name.hasSuffix("_total") == (kind == .counter),
            "\(name): counters end in _total, and nothing else does")
        precondition(
            !["_bucket", "_sum", "_count"].contains { name.hasSuffix($0) },
            "\(name) ends like a part of a histogram")
        precondition(
            labels.allSatisfy { Self.isName($0) && !Self.reservedLabels.contains($0) }
                && Set(labels).count == labels.count,
            "\(name) has labels that cannot be used: \(labels)")
        return MetricDescription(name: name, help: help, kind: kind, labels: labels)
    }

    private func register(
        _ description: MetricDescription,
        _ snapshot: @escaping @Sendable () -> MetricSnapshot.Family
    ) {
        entries.withLock { entries in
            precondition(
                !entries.contains { $0.description.name == description.name },
                "two metrics are named \(description.name)")
            entries.append(Entry(description: description, snapshot: snapshot))
        }
    }

    /// `le` is the histogram's own, `process` that of a supervisor.
    private static let reservedLabels: Set = ["le", "process"]

    private static func isName(_ text: String) -> Bool {
        text.utf8.first.map { $0 >= UInt8(ascii: "a") } == true
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "_")
            }
    }
}
