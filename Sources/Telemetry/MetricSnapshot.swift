/// The metrics of a process at one moment: a value that can be sent, merged and printed.
///
/// Every number in it is finite, so that JSON can carry it.
package struct MetricSnapshot: Sendable, Equatable, Codable {
    package struct Label: Sendable, Equatable, Codable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The buckets of a histogram.
    package struct Buckets: Sendable, Equatable, Codable {
        /// Inclusive upper bounds, ascending.
        package let bounds: [Double]
        /// How many fell into each bucket, not cumulative; the last is what lies above all bounds.
        package let counts: [UInt64]
        package let sum: Double

        package init(bounds: [Double], counts: [UInt64], sum: Double) {
            self.bounds = bounds
            self.counts = counts
            self.sum = sum
        }
    }

    package enum Value: Sendable, Equatable, Codable {
        case number(Double)
        case histogram(Buckets)
    }

    package struct Sample: Sendable, Equatable, Codable {
        package let labels: [Label]
        package let value: Value

        package init(labels: [Label], value: Value) {
            self.labels = labels
            self.value = value
        }
    }

    /// One metric with all its series.
    package struct Family: Sendable, Equatable, Codable {
        package let name: String
        package let help: String
        package let kind: MetricDescription.Kind
        package var samples: [Sample]

        package init(_ description: MetricDescription, samples: [Sample]) {
            name = description.name
            help = description.help
            kind = description.kind
            self.samples = samples
        }
    }

    package var families: [Family]

    package init(families: [Family]) { self.families = families }

    /// The same metrics, each series with one more label in front, such as `process="2"`; a series
    /// that has it already keeps its own.
    package func labelled(_ name: String, _ value: String) -> MetricSnapshot {
        var copy = self
        for family in copy.families.indices {
            copy.families[family].samples = families[family].samples.map { sample in
                guard !sample.labels.contains(where: { $0.name == name }) else { return sample }
                return Sample(
                    labels: [Label(name: name, value: value)] + sample.labels, value: sample.value)
            }
        }
        return copy
    }

    /// Several processes' metrics as one; each metric appears once, as readers require.
    ///
    /// Give each process's snapshot a label first. Where two disagree on the kind of a metric, the
    /// first wins and the other's series are left out.
    package static func merged(_ snapshots: [MetricSnapshot]) -> MetricSnapshot {
        var families: [Family] = []
        var positions: [String: Int] = [:]
        for family in snapshots.flatMap(\.families) {
            guard let position = positions[family.name] else {
                positions[family.name] = families.count
                families.append(family)
                continue
            }
            guard families[position].kind == family.kind else { continue }
            families[position].samples += family.samples
        }
        return MetricSnapshot(families: families)
    }
}
