/// A strict reader of the text format, written from its description and not from our writer.
///
/// Source: prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.
struct ExpositionParser {
    struct Sample: Equatable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    struct Family: Equatable {
        var help = ""
        var kind = ""
        var samples: [Sample] = []
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var families: [String: Family] = [:]
    private var current = ""

    /// Reads a page; throws at the first line that is not as it must be.
    static func read(_ text: String) throws -> [String: Family] {
        var parser = ExpositionParser()
        var lines = text.unicodeScalars.split(
            separator: "\n", omittingEmptySubsequences: false)
        guard let last = lines.popLast(), last.isEmpty else {
            throw Failure(description: "the last line does not end")
        }
        for line in lines { try parser.read(Array(line)) }
        return parser.families
    }

    private mutating func read(_ line: [Unicode.Scalar]) throws {
        if line.starts(with: "# HELP ".unicodeScalars) {
            let (name, rest) = Self.word(line.dropFirst(7))
            guard families[name] == nil else {
                throw Failure(description: "\(name) comes twice")
            }
            current = name
            families[name] = Family(help: try Self.unescaped(rest, quotes: false))
        } else if line.starts(with: "# TYPE ".unicodeScalars) {
            let (name, rest) = Self.word(line.dropFirst(7))
            guard name == current else { throw Failure(description: "TYPE of \(name) is apart") }
            families[name]?.kind = Self.text(rest)
        } else {
            try readSample(line)
        }
    }

    private mutating func readSample(_ line: [Unicode.Scalar]) throws {
        let name = line.prefix { Self.isName($0) }
        var rest = line.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = rest.prefix { Self.isName($0) }
                rest = rest.dropFirst(label.count)
                guard !label.isEmpty, rest.starts(with: "=\"".unicodeScalars) else {
                    throw Failure(description: "a label is malformed in \(Self.text(line))")
                }
                rest = rest.dropFirst(2)
                let value = try Self.quoted(&rest)
                guard labels.updateValue(value, forKey: Self.text(label)) == nil else {
                    throw Failure(description: "label \(Self.text(label)) comes twice")
                }
                if rest.first == "," { rest = rest.dropFirst() }
            }
            rest = rest.dropFirst()
        }
        guard rest.first == " ", let value = Double(Self.text(rest.dropFirst())) else {
            throw Failure(description: "no value in \(Self.text(line))")
        }
        let sample = Sample(name: Self.text(name), labels: labels, value: value)
        let parts = ["", "_bucket", "_sum", "_count"].map { current + $0 }
        guard families[current] != nil, parts.contains(sample.name) else {
            throw Failure(description: "\(sample.name) stands under \(current)")
        }
        families[current]?.samples.append(sample)
    }

    private static func quoted(_ rest: inout ArraySlice<Unicode.Scalar>) throws -> String {
        var end = rest.startIndex
        while end < rest.endIndex, rest[end] != "\"" { end += rest[end] == "\\" ? 2 : 1 }
        guard end < rest.endIndex else { throw Failure(description: "a label value does not end") }
        defer { rest = rest[(end + 1)...] }
        return try unescaped(rest[..<end], quotes: true)
    }

    private static func unescaped(
        _ text: ArraySlice<Unicode.Scalar>, quotes: Bool
    ) throws -> String {
        var result = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in text {
            switch (isEscaped, scalar) {
            case (false, "\\"): isEscaped = true
            case (false, _): result.append(scalar)
            case (true, "n"):
                result.append("\n")
                isEscaped = false
            case (true, "\\"):
                result.append("\\")
                isEscaped = false
            case (true, "\"") where quotes:
                result.append("\"")
                isEscaped = false
            default: throw Failure(description: "\\\(scalar) is no escape")
            }
        }
        guard !isEscaped else { throw Failure(description: "a text ends in a backslash") }
        return String(result)
    }

    private static func word(
        _ text: ArraySlice<Unicode.Scalar>
    ) -> (String, ArraySlice<Unicode.Scalar>) {
        let word = text.prefix { $0 != " " }
        return (self.text(word), text.dropFirst(word.count + 1))
    }

    private static func text(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    private static func isName(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
            || scalar == "_"
    }
}
