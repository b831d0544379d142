/// One of the five fields of a crontab, in the order of a crontab line.
///
/// Source: the bounds and names of Celery's `crontab`: Sunday is 0 and only 0.
package enum CronField: String, Sendable, CaseIterable {
    case minute
    case hour
    case dayOfMonth = "day_of_month"
    case monthOfYear = "month_of_year"
    case dayOfWeek = "day_of_week"

    /// The numbers the field may hold.
    package var bounds: ClosedRange<Int> {
        switch self {
        case .minute: 0...59
        case .hour: 0...23
        case .dayOfMonth: 1...31
        case .monthOfYear: 1...12
        case .dayOfWeek: 0...6
        }
    }

    /// The words the field knows, in order from its lowest number.
    var words: [String] {
        switch self {
        case .minute, .hour, .dayOfMonth: []
        case .monthOfYear:
            [
                "january", "february", "march", "april", "may", "june", "july", "august",
                "september", "october", "november", "december",
            ]
        case .dayOfWeek:
            ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
        }
    }
}

/// The numbers one crontab field allows: a set of small integers in one machine word.
package struct CronValues: Sendable, Hashable, Sequence {
    private var bits: UInt64 = 0

    /// Every number in `bounds`.
    static func all(of bounds: ClosedRange<Int>) -> CronValues {
        var values = CronValues()
        for value in bounds { values.insert(value) }
        return values
    }

    mutating func insert(_ value: Int) { bits |= 1 << UInt64(value) }

    mutating func formUnion(_ other: CronValues) { bits |= other.bits }

    package func contains(_ value: Int) -> Bool { bits & (1 << UInt64(value)) != 0 }

    /// The lowest number that is at least `value`.
    func first(from value: Int) -> Int? {
        guard value < UInt64.bitWidth else { return nil }
        let rest = bits >> UInt64(value)
        return rest == 0 ? nil : value + rest.trailingZeroBitCount
    }

    /// How many numbers there are.
    var count: Int { bits.nonzeroBitCount }

    /// How many of the numbers are at least `lower` and below `upper`.
    func count(from lower: Int, before upper: Int) -> Int {
        guard lower < upper, lower < UInt64.bitWidth else { return 0 }
        let above = bits >> UInt64(lower)
        let width = upper - lower
        let kept = width >= UInt64.bitWidth ? above : above & ((1 << UInt64(width)) - 1)
        return kept.nonzeroBitCount
    }

    package func makeIterator() -> some IteratorProtocol<Int> {
        (0..<UInt64.bitWidth).lazy.filter { contains($0) }.makeIterator()
    }
}

/// A crontab that cannot be used: the field, its text, and what is wrong with it.
package struct CronError: Error, Equatable, CustomStringConvertible {
    /// The field at fault; nil when the line has not got five of them.
    package let field: CronField?
    /// The text of that field, or of the whole line.
    package let text: String
    /// What is wrong, as a predicate: "holds 60, which is above 59".
    package let problem: String

    package var description: String { "\(field?.rawValue ?? "crontab") \"\(text)\" \(problem)" }
}
