import Foundation

/// The ISO form of `timestamptz`, to the microsecond: `2024-05-01 12:00:00.000001+00`.
///
/// Civil dates by the era arithmetic of the proleptic Gregorian calendar, which PostgreSQL uses.
enum TimestampText {
    private static let microsecondsPerDay: Int64 = 86_400_000_000
    /// Days from 0000-03-01 to 2001-01-01, where `Date` counts from.
    private static let daysToReference: Int64 = 730_791
    private static let daysPerEra: Int64 = 146_097

    /// The text form; for a date outside the calendar, a text that the server refuses.
    static func text(_ date: Date) -> String {
        let seconds = date.timeIntervalSinceReferenceDate
        guard seconds.isFinite, abs(seconds) < 9e12 else { return "date out of range" }
        // The fraction apart: a product of the whole would lose the last microsecond after 2137.
        let whole = seconds.rounded(.down)
        let microseconds =
            Int64(whole) * 1_000_000 + Int64(((seconds - whole) * 1e6).rounded())
        var days = microseconds / microsecondsPerDay
        var rest = microseconds % microsecondsPerDay
        if rest < 0 {
            days -= 1
            rest += microsecondsPerDay
        }
        let (year, month, day) = civil(days: days)
        let second = rest / 1_000_000
        let clock =
            pad(second / 3600, 2) + ":" + pad(second / 60 % 60, 2) + ":" + pad(second % 60, 2)
        let fraction = rest % 1_000_000 == 0 ? "" : "." + pad(rest % 1_000_000, 6)
        let isBeforeChrist = year <= 0
        let calendar =
            pad(isBeforeChrist ? 1 - year : year, 4) + "-" + pad(month, 2) + "-" + pad(day, 2)
        return "\(calendar) \(clock)\(fraction)+00\(isBeforeChrist ? " BC" : "")"
    }

    /// The date, for ISO text with any offset, or without one (then UTC); nil for infinities.
    static func date(_ text: ArraySlice<UInt8>) -> Date? {
        var scanner = DigitScanner(text)
        guard var year = scanner.number(), scanner.skip("-"), let month = scanner.number(),
            scanner.skip("-"), let day = scanner.number(), (1...12).contains(month),
            (1...31).contains(day)
        else { return nil }
        var rest: Int64 = 0
        if scanner.skip(" ") || scanner.skip("T") {
            guard let hour = scanner.number(), scanner.skip(":"), let minute = scanner.number(),
                scanner.skip(":"), let second = scanner.number()
            else { return nil }
            rest = ((hour * 60 + minute) * 60 + second) * 1_000_000
            if scanner.skip(".") {
                guard let fraction = scanner.fraction(digits: 6) else { return nil }
                rest += fraction
            }
            guard let offset = scanner.offset() else { return nil }
            rest -= offset * 1_000_000
        }
        if scanner.skip(" "), scanner.skip("B"), scanner.skip("C") { year = 1 - year }
        guard scanner.isAtEnd else { return nil }
        let microseconds = days(year, month, day) * microsecondsPerDay + rest
        return Date(timeIntervalSinceReferenceDate: Double(microseconds) / 1e6)
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + daysToReference
        let era = (shifted >= 0 ? shifted : shifted - (daysPerEra - 1)) / daysPerEra
        let dayOfEra = shifted - era * daysPerEra
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * daysPerEra + dayOfEra - daysToReference
    }

    private static func pad(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Reads digits and separators of a timestamp from the front.
private struct DigitScanner {
    private var rest: ArraySlice<UInt8>

    init(_ text: ArraySlice<UInt8>) { rest = text }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number() -> Int64? {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty, digits.count <= 7 else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    /// A fraction of up to `digits` digits, scaled to that many.
    mutating func fraction(digits: Int) -> Int64? {
        let before = rest.count
        guard var value = number() else { return nil }
        let count = before - rest.count
        guard count <= digits else { return nil }
        for _ in count..<digits { value *= 10 }
        return value
    }

    /// Seconds east of UTC: `Z`, `+hh`, `-hh:mm`, `+hh:mm:ss` or nothing.
    mutating func offset() -> Int64? {
        if isAtEnd || skip("Z") { return 0 }
        let sign: Int64
        if skip("+") {
            sign = 1
        } else if skip("-") {
            sign = -1
        } else {
            return 0
        }
        guard var seconds = number().map({ $0 * 3600 }) else { return nil }
        if skip(":") {
            guard let minutes = number() else { return nil }
            seconds += minutes * 60
        }
        if skip(":") {
            guard let extra = number() else { return nil }
            seconds += extra
        }
        return sign * seconds
    }
}
