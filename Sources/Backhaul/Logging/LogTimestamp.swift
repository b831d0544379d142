import Foundation

/// Writes instants as RFC 3339 in UTC with milliseconds: `2026-03-01T09:30:00.250Z`.
///
/// Done by arithmetic, because a log line is written for every job and Foundation's formatters
/// cost more than the rest of the line.
enum LogTimestamp {
    /// Appends the instant to `line`.
    static func append(_ date: Date, to line: inout [UInt8]) {
        let milliseconds = Int64((date.timeIntervalSince1970 * 1000).rounded(.down))
        let days = floorDivide(milliseconds, 86_400_000)
        let time = milliseconds - days * 86_400_000
        let (year, month, day) = civil(daysSince1970: days)
        append(year, digits: 4, to: &line)
        line.append(UInt8(ascii: "-"))
        append(month, digits: 2, to: &line)
        line.append(UInt8(ascii: "-"))
        append(day, digits: 2, to: &line)
        line.append(UInt8(ascii: "T"))
        append(time / 3_600_000, digits: 2, to: &line)
        line.append(UInt8(ascii: ":"))
        append(time / 60_000 % 60, digits: 2, to: &line)
        line.append(UInt8(ascii: ":"))
        append(time / 1000 % 60, digits: 2, to: &line)
        line.append(UInt8(ascii: "."))
        append(time % 1000, digits: 3, to: &line)
        line.append(UInt8(ascii: "Z"))
    }

    /// The Gregorian date of a day count, by counting in years that begin in March, so that the
    /// leap day comes last.
    private static func civil(daysSince1970 days: Int64) -> (Int64, Int64, Int64) {
        let sinceMarchOfYear0 = days + 719_468
        let era = floorDivide(sinceMarchOfYear0, 146_097)
        let dayOfEra = sinceMarchOfYear0 - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : (value - divisor + 1) / divisor
    }

    private static func append(_ number: Int64, digits: Int, to line: inout [UInt8]) {
        var scale: Int64 = 1
        for _ in 1..<digits { scale *= 10 }
        while scale > 0 {
            line.append(UInt8(ascii: "0") + UInt8(number / scale % 10))
            scale /= 10
        }
    }
}
