/// A date of the Gregorian calendar, and its number counted from 1970-01-01.
///
/// Plain integer arithmetic: a search for the next fire time asks for thousands of dates.
package struct CivilDay: Sendable, Equatable {
    package let number: Int64
    package let year: Int
    package let month: Int
    package let day: Int

    /// The date that is `number` days after 1970-01-01.
    ///
    /// Years are counted from March, so that the leap day is the last of its year; 400 years are
    /// always 146,097 days.
    package init(number: Int64) {
        self.number = number
        let daysFromYear0March: Int64 = 719_468
        let shifted = number + daysFromYear0March
        let era = shifted.dividedDown(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // From March, month lengths repeat 31, 30, 31, 30, 31 every 153 days.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5) + 1
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }

    /// A date by its parts; nil when the calendar has no such date.
    package init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else {
            return nil
        }
        let yearFromMarch = Int64(month <= 2 ? year - 1 : year)
        let monthFromMarch = Int64(month <= 2 ? month + 9 : month - 3)
        let era = yearFromMarch.dividedDown(by: 400)
        let yearOfEra = yearFromMarch - era * 400
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + Int64(day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        self.init(number: era * 146_097 + dayOfEra - 719_468)
        // The 31st of a shorter month became a day of the next.
        guard self.year == year, self.month == month, self.day == day else { return nil }
    }

    /// Reads `2026-12-25`; nil when it is written otherwise or no such date exists.
    package init?(text: Substring) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let widths = [4, 2, 2]
        guard parts.count == widths.count,
            zip(parts, widths).allSatisfy({ part, width in
                part.utf8.count == width
                    && part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            }), let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2])
        else { return nil }
        self.init(year: year, month: month, day: day)
    }

    /// As `2026-12-25`.
    package var text: String { "\(monthText)-\(Self.padded(day, to: 2))" }

    /// As `2026-12`.
    package var monthText: String { "\(Self.padded(year, to: 4))-\(Self.padded(month, to: 2))" }

    private static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// The day of the week, Sunday is 0.
    var weekday: Int {
        // 1970-01-01 was a Thursday.
        let weekday = (number + 4) % 7
        return Int(weekday < 0 ? weekday + 7 : weekday)
    }

    /// How many days of the month come after this one.
    var remainingInMonth: Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return Self.longest(ofMonth: month) - (month == 2 && !isLeap ? 1 : 0) - day
    }

    /// The most days the month can have in any year.
    static func longest(ofMonth month: Int) -> Int {
        switch month {
        case 2: 29
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Int64 {
    /// The quotient rounded towards minus infinity.
    package func dividedDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The quotient rounded towards plus infinity.
    func dividedUp(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder > 0 ? quotient + 1 : quotient
    }
}
