/// A date of the Gregorian calendar, and its number counted from 1970-01-01.
///
/// Plain integer arithmetic: a search for the next fire time asks for thousands of dates.
struct CivilDay: Sendable, Equatable {
    let number: Int64
    let year: Int
    let month: Int
    let day: Int

    /// The date that is `number` days after 1970-01-01.
    ///
    /// Years are counted from March, so that the leap day is the last of its year; 400 years are
    /// always 146,097 days.
    init(number: Int64) {
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
    func dividedDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The quotient rounded towards plus infinity.
    func dividedUp(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder > 0 ? quotient + 1 : quotient
    }
}
