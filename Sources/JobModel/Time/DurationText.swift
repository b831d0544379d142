/// A length of time that cannot be read.
package struct InvalidDuration: Error, Equatable, CustomStringConvertible {
    package let text: String
    /// What is wrong, as a predicate.
    package let problem: String

    package var description: String { "\"\(text)\" \(problem)" }
}

extension Duration {
    /// Reads a length of time as people write it: `30s`, `4m`, `1h30m`, `250ms`, `7d`.
    ///
    /// Whole numbers, each with a unit (`w`, `d`, `h`, `m`, `s`, `ms`), from the greatest unit to
    /// the least, each at most once. A day is 24 hours.
    ///
    /// - Throws: `InvalidDuration`; a bare number is refused, because its unit would be a guess.
    package init(text: String) throws(InvalidDuration) {
        var rest = Substring(text)
        var total: Int64 = 0
        var lastUnit = -1
        guard !rest.isEmpty else { throw InvalidDuration(text: text, problem: "is empty") }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let count = Int64(digits) else {
                throw InvalidDuration(
                    text: text, problem: "is not a length of time such as 30s, 4m or 1h30m")
            }
            guard let unit = Self.units.firstIndex(where: { $0.name == name }) else {
                let problem =
                    name.isEmpty
                    ? "has no unit; write \(digits)s for seconds"
                    : "has the unknown unit \"\(name)\"; known are w, d, h, m, s, ms"
                throw InvalidDuration(text: text, problem: problem)
            }
            guard unit > lastUnit else {
                throw InvalidDuration(text: text, problem: "has its units out of order")
            }
            lastUnit = unit
            let (part, tooLarge) = count.multipliedReportingOverflow(
                by: Self.units[unit].milliseconds)
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !tooLarge, !overflow, sum <= Self.longestText else {
                throw InvalidDuration(text: text, problem: "is longer than a hundred years")
            }
            total = sum
        }
        self = .milliseconds(total)
    }

    /// Milliseconds in a hundred years.
    private static let longestText: Int64 = 36_525 * 86_400_000

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
        ("ms", 1),
    ]
}
