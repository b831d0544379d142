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
            for sample in family.samples { append(sample, of: family.name, to: &text) }
        }
        return text
    }

    private static func append(
        _ sample: MetricSnapshot.Sample, of name: String, to text: inout String
    ) {
        switch sample.value {
        case .number(let number):
            appendLine(name, sample.labels, number.exposition, to: &text)
        case .histogram(let buckets):
            var total: UInt64 = 0
            for (index, count) in buckets.counts.enumerated() {
                total &+= count
                let bound =
                    index < buckets.bounds.count ? buckets.bounds[index].exposition : "+Inf"
                appendLine(
                    name + "_bucket",
                    sample.labels + [MetricSnapshot.Label(name: "le", value: bound)],
                    String(total), to: &text)
            }
            appendLine(name + "_sum", sample.labels, buckets.sum.exposition, to: &text)
            appendLine(name + "_count", sample.labels, String(total), to: &text)
        }
    }

    private static func appendLine(
        _ name: String, _ labels: [MetricSnapshot.Label], _ value: String, to text: inout String
    ) {
        text += name
        if !labels.isEmpty {
            text += "{"
            for (index, label) in labels.enumerated() {
                if index > 0 { text += "," }
                text += "\(label.name)=\"\(escaped(label.value, quotes: true))\""
            }
            text += "}"
        }
        text += " \(value)\n"
    }

    /// Scalar by scalar: Swift takes CR LF for one character, and the line end in it must not stay.
    private static func escaped(_ text: String, quotes: Bool) -> String {
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
