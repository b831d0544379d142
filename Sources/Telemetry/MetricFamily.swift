import Mailbox

/// What is kept for one combination of label values.
package protocol MetricSeries: AnyObject, Sendable {
    /// What every series of a family is made from.
    associatedtype Shape: Sendable
    init(_ shape: Shape)
    /// The value now; nil when it is not known.
    var reading: MetricSnapshot.Value? { get }
}

/// What a metric is called and means.
package struct MetricDescription: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, Codable {
        case counter
        case gauge
        case histogram
    }

    package let name: String
    /// One sentence.
    package let help: String
    package let kind: Kind
    /// The names of its labels, in the order of their values.
    package let labels: [String]
}

/// One metric with all its series.
///
/// A caller keeps the series it uses; looking one up costs a lock and a hash.
package final class MetricFamily<Series: MetricSeries>: Sendable {
    /// What every label says once ``MetricRegistry/maximumSeries`` are taken.
    package static var overflowValue: String { "other" }

    package let description: MetricDescription
    private let shape: Series.Shape
    private let maximumSeries: Int
    private let known = Locked<[[String]: Series]>([:])

    init(_ description: MetricDescription, shape: Series.Shape, maximumSeries: Int) {
        self.description = description
        self.shape = shape
        self.maximumSeries = maximumSeries
    }

    /// The series of these label values, made when it is new.
    ///
    /// Beyond the maximum, one series called `other` stands for all that are new.
    package func series(_ values: String...) -> Series {
        precondition(
            values.count == description.labels.count,
            "\(description.name) has \(description.labels.count) labels, not \(values.count)")
        let values = values.map { $0.cut(toBytes: MetricRegistry.maximumLabelBytes) }
        return known.withLock { known in
            if let series = known[values] { return series }
            let isFull = known.count >= maximumSeries
            let key = isFull ? values.map { _ in Self.overflowValue } : values
            if let series = known[key] { return series }
            let series = Series(shape)
            known[key] = series
            return series
        }
    }

    /// Every series as it is now, in the order of its label values.
    func snapshot() -> MetricSnapshot.Family {
        let all = known.withLock { Array($0) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        return MetricSnapshot.Family(
            description,
            samples: all.compactMap { values, series in
                series.reading.map { value in
                    MetricSnapshot.Sample(
                        labels: zip(description.labels, values).map {
                            MetricSnapshot.Label(name: $0, value: $1)
                        }, value: value)
                }
            })
    }
}

extension String {
    /// The text, or as many of its characters from the front as fit.
    fileprivate func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var kept = self
        while kept.utf8.count > limit { kept.removeLast() }
        return kept
    }
}
