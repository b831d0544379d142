/// The text exposition format 0.0.4 of Prometheus.
///
/// Source: prometheus.io/docs/instrumenting/exposition_formats.
package enum PrometheusText {
    /// What an answer in this form says of itself.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Prints a snapshot; metrics without series are left out.
    package static func render(_ snapshot: MetricSnapshot) -> String {
        var text = ""
        for family in snapshot.families where !family.samples.isEmpty {
            text += "# HELP \(family.name) \(escaped(family.help, quotes: false))\n"
            text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
            var bounds: [Double: String] = [:]
            for sample in family.samples { append(sample, of: family.name, &bounds, to: &text) }
        }
        return text
    }

    /// Prints one series; `bounds` keeps what the bounds of the family's buckets look like.
    private static func append(
        _ sample: MetricSnapshot.Sample, of name: String, _ bounds: inout [Double: String],
        to text: inout String
    ) {
        let labels = sample.labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
            .joined(separator: ",")
        let braced = labels.isEmpty ? "" : "{\(labels)}"
        switch sample.value {
        case .number(let number): text += "\(name)\(braced) \(number.exposition)\n"
        case .histogram(let buckets):
            let start = "\(name)_bucket{\(labels)\(labels.isEmpty ? "" : ",")le=\""
            var total: UInt64 = 0
            for (index, count) in buckets.counts.enumerated() {
                total &+= count
                text += start
                text +=
                    index < buckets.bounds.count ? bound(buckets.bounds[index], &bounds) : "+Inf"
                text += "\"} \(total)\n"
            }
            text += "\(name)_sum\(braced) \(buckets.sum.exposition)\n"
            text += "\(name)_count\(braced) \(total)\n"
        }
    }

    private static func bound(_ bound: Double, _ known: inout [Double: String]) -> String {
        if let text = known[bound] { return text }
        let text = bound.exposition
        known[bound] = text
        return text
    }

    private static let special: [UInt8] = Array("\\\n\"".utf8)

    /// Scalar by scalar: Swift takes CR LF for one character, and the line end in it must not stay.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { special.contains($0) }) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\"" where quotes: result.append(contentsOf: "\\\"".unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}

extension Double {
    /// Whole numbers that a double holds exactly, without point and exponent; others as Swift
    /// prints them, which every reader understands.
    fileprivate var exposition: String {
        guard isFinite else { return isNaN ? "NaN" : self < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: self), whole.magnitude < 1 << 53 { return String(whole) }
        return description
    }
}
