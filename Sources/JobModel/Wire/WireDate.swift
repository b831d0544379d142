package import Foundation

/// Dates as Python writes and reads them: ISO 8601, microseconds, year 1 to 9999.
///
/// Source: Python's `datetime.isoformat` and `datetime.fromisoformat`, without the week and
/// basic (undelimited) forms that Celery never sends.
package enum WireDate {
    private static let secondsPerDay = 86_400
    /// 1970-01-01 to 2001-01-01, where Foundation's dates begin.
    private static let referenceSeconds = 978_307_200
    private static let firstSecond = -62_135_596_800  // 0001-01-01T00:00:00Z
    private static let lastSecond = 253_402_300_799  // 9999-12-31T23:59:59Z

    // MARK: Reading

    /// Reads `2026-11-22T08:01:19.015978+00:00` and its shorter relatives: no fraction, no seconds,
    /// no time at all; `Z`, `±hh:mm`, `±hhmm`, `±hh`; a space for the `T`.
    ///
    /// Without an offset the time is UTC, as Celery takes it. Digits after the sixth of a fraction
    /// are dropped.
    package static func date(_ text: String) -> Date? { date(text.utf8.span) }

    /// Reads the same from bytes.
    static func date(_ text: Span<UInt8>) -> Date? {
        var reader = DigitReader()
        guard let day = reader.day(text) else { return nil }
        var seconds = day * secondsPerDay
        var microseconds = 0
        if reader.position < text.count {
            guard reader.take(text, where: { $0 == 0x54 || $0 == 0x74 || $0 == 0x20 }),
                let time = reader.time(text), let offset = reader.offset(text),
                reader.position == text.count
            else { return nil }
            seconds += time.seconds - offset
            microseconds = time.microseconds
        }
        let whole = Double(seconds - referenceSeconds)
        return Date(timeIntervalSinceReferenceDate: whole + Double(microseconds) / 1e6)
    }

    /// Whether `text` is a time of day such as `01:02:03.5`, with or without an offset.
    static func isTime(_ text: String) -> Bool {
        let bytes = text.utf8.span
        var reader = DigitReader()
        return reader.time(bytes) != nil && reader.offset(bytes) != nil
            && reader.position == bytes.count
    }

    // MARK: Writing

    /// Writes UTC with its offset, as Python does: `2026-11-22T08:01:19.015978+00:00`, without the
    /// fraction when it is zero.
    ///
    /// Dates that Python cannot hold become its first or last second.
    package static func text(_ date: Date) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        append(date, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends what ``text(_:)`` returns.
    static func append(_ date: Date, to bytes: inout [UInt8]) {
        let (seconds, microseconds) = unixTime(of: date)
        let days = (seconds >= 0 ? seconds : seconds - (secondsPerDay - 1)) / secondsPerDay
        let time = seconds - days * secondsPerDay
        let (year, month, day) = civil(days: days)
        append(year, width: 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        append(month, width: 2, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        append(day, width: 2, to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        append(time / 3600, width: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        append(time / 60 % 60, width: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        append(time % 60, width: 2, to: &bytes)
        if microseconds != 0 {
            bytes.append(UInt8(ascii: "."))
            append(microseconds, width: 6, to: &bytes)
        }
        bytes.append(contentsOf: "+00:00".utf8)
    }

    /// Whole seconds since 1970 and the microseconds after them.
    private static func unixTime(of date: Date) -> (seconds: Int, microseconds: Int) {
        let interval = date.timeIntervalSinceReferenceDate
        let limits = Double(firstSecond - referenceSeconds)...Double(lastSecond - referenceSeconds)
        guard interval >= limits.lowerBound else { return (firstSecond, 0) }  // NaN too
        guard interval <= limits.upperBound else { return (lastSecond, 0) }
        let whole = interval.rounded(.down)
        var seconds = Int(whole) + referenceSeconds
        var microseconds = Int(((interval - whole) * 1e6).rounded())
        if microseconds == 1_000_000 {
            seconds += 1
            microseconds = 0
        }
        return (seconds, microseconds)
    }

    private static func append(_ number: Int, width: Int, to bytes: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    // MARK: The calendar

    /// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    fileprivate static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1  // years begin in March
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }

    /// The inverse of ``days(year:month:day:)``.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    fileprivate static func length(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// Takes the parts of an ISO 8601 text one after another.
private struct DigitReader {
    var position = 0

    /// Takes a byte when it is wanted.
    mutating func take(_ text: Span<UInt8>, where isWanted: (UInt8) -> Bool) -> Bool {
        guard position < text.count, isWanted(text[position]) else { return false }
        position += 1
        return true
    }

    /// Takes exactly `width` digits.
    mutating func number(_ text: Span<UInt8>, width: Int) -> Int? {
        guard position + width <= text.count else { return nil }
        var value = 0
        for place in position..<(position + width) {
            let digit = text[place] &- 0x30
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        position += width
        return value
    }

    /// `2026-11-22` as days since 1970.
    mutating func day(_ text: Span<UInt8>) -> Int? {
        guard let year = number(text, width: 4), year >= 1,
            take(text, where: { $0 == 0x2d }), let month = number(text, width: 2),
            (1...12).contains(month), take(text, where: { $0 == 0x2d }),
            let day = number(text, width: 2), day >= 1,
            day <= WireDate.length(ofMonth: month, year: year)
        else { return nil }
        return WireDate.days(year: year, month: month, day: day)
    }

    /// `08:01`, `08:01:19` or `08:01:19.015978`.
    mutating func time(_ text: Span<UInt8>) -> (seconds: Int, microseconds: Int)? {
        guard let hour = number(text, width: 2), hour < 24, take(text, where: { $0 == 0x3a }),
            let minute = number(text, width: 2), minute < 60
        else { return nil }
        guard take(text, where: { $0 == 0x3a }) else { return (hour * 3600 + minute * 60, 0) }
        guard let second = number(text, width: 2), second < 60 else { return nil }
        var microseconds = 0
        if take(text, where: { $0 == 0x2e || $0 == 0x2c }) {
            guard let fraction = self.fraction(text) else { return nil }
            microseconds = fraction
        }
        return (hour * 3600 + minute * 60 + second, microseconds)
    }

    private mutating func fraction(_ text: Span<UInt8>) -> Int? {
        let start = position
        var value = 0
        while position < text.count, text[position] &- 0x30 < 10 {
            if position - start < 6 { value = value * 10 + Int(text[position] - 0x30) }
            position += 1
        }
        let digits = position - start
        guard digits > 0 else { return nil }
        for _ in min(digits, 6)..<6 { value *= 10 }
        return value
    }

    /// Nothing, `Z`, `+01`, `+0100`, `+01:00` or `+01:00:30`, as seconds east of UTC.
    mutating func offset(_ text: Span<UInt8>) -> Int? {
        if position == text.count { return 0 }
        if take(text, where: { $0 == 0x5a || $0 == 0x7a }) { return 0 }
        guard position < text.count else { return nil }
        let sign = text[position] == 0x2d ? -1 : 1
        guard take(text, where: { $0 == 0x2b || $0 == 0x2d }),
            let hours = number(text, width: 2), hours < 24
        else { return nil }
        var seconds = hours * 3600
        for unit in [60, 1] where position < text.count {
            _ = take(text, where: { $0 == 0x3a })
            guard let part = number(text, width: 2), part < 60 else { return nil }
            seconds += part * unit
        }
        return sign * seconds
    }
}
