/// A crontab: which minutes of the wall clock and calendar it names.
///
/// All five fields must match. In particular a day must match `day_of_month` **and**
/// `day_of_week`, as in Celery; the cron daemon takes either once both are restricted.
///
/// Source: Celery's `crontab`, by experiment against 5.7; the tests compare with it.
package struct CronExpression: Sendable, Hashable, CustomStringConvertible {
    /// Minutes of the hour.
    package let minutes: CronValues
    /// Hours of the day.
    package let hours: CronValues
    /// Days of the month.
    package let daysOfMonth: CronValues
    /// Months of the year, January is 1.
    package let monthsOfYear: CronValues
    /// Days of the week, Sunday is 0.
    package let daysOfWeek: CronValues

    /// Whether it names a rhythm rather than times of day, and so runs in both passes of an hour
    /// that the clock goes through twice: every hour is allowed, or the minute is `*` or `*/n`.
    package let runsInRepeatedHour: Bool

    /// The five fields, in the order of a crontab line.
    package let description: String

    /// Reads five fields; one that is not given is `*`.
    ///
    /// - Throws: `CronError`, also when no date matches, such as 30 February.
    package init(
        minute: String = "*", hour: String = "*", dayOfMonth: String = "*",
        monthOfYear: String = "*", dayOfWeek: String = "*"
    ) throws(CronError) {
        let minutes = try CronFieldParser(field: .minute, text: minute).parse()
        self.minutes = minutes.values
        hours = try CronFieldParser(field: .hour, text: hour).parse().values
        daysOfMonth = try CronFieldParser(field: .dayOfMonth, text: dayOfMonth).parse().values
        monthsOfYear = try CronFieldParser(field: .monthOfYear, text: monthOfYear).parse().values
        daysOfWeek = try CronFieldParser(field: .dayOfWeek, text: dayOfWeek).parse().values
        runsInRepeatedHour = minutes.isStarred || hours == .all(of: CronField.hour.bounds)
        description = [minute, hour, dayOfMonth, monthOfYear, dayOfWeek]
            .map { $0.filter { !$0.isWhitespace } }.joined(separator: " ")

        let days = daysOfMonth
        // Every date recurs on every day of the week within forty years, so these two decide.
        let occurs = monthsOfYear.contains { month in
            (days.first(from: 1) ?? 32) <= CivilDay.longest(ofMonth: month)
        }
        guard occurs else {
            throw CronError(
                field: .dayOfMonth, text: dayOfMonth,
                problem: "never occurs in month_of_year \"\(monthOfYear)\"")
        }
    }

    /// Reads a crontab line: minute, hour, day of month, month, day of week, separated by blanks.
    ///
    /// - Throws: `CronError`, also when no date matches, such as 30 February.
    package init(_ line: String) throws(CronError) {
        let fields = line.split { $0 == " " || $0 == "\t" }.map(String.init)
        guard fields.count == CronField.allCases.count else {
            let hint = line.hasPrefix("@") ? "; words such as @daily are not known" : ""
            throw CronError(
                field: nil, text: line,
                problem: "has \(fields.count) fields where 5 are needed"
                    + " (minute hour day_of_month month_of_year day_of_week)\(hint)")
        }
        try self.init(
            minute: fields[0], hour: fields[1], dayOfMonth: fields[2], monthOfYear: fields[3],
            dayOfWeek: fields[4])
    }

    /// Whether the date is one of those named; the time of day is not looked at.
    func names(_ day: CivilDay) -> Bool {
        monthsOfYear.contains(day.month) && daysOfMonth.contains(day.day)
            && daysOfWeek.contains(day.weekday)
    }
}

// MARK: - Search

extension CronExpression {
    /// The first wall-clock minute named from `start` on, nil when there is none before `end`.
    ///
    /// Minutes are counted from 1970-01-01 00:00 on that wall clock.
    func firstMinute(from start: Int64, before end: Int64) -> Int64? {
        var number = start.dividedDown(by: Self.minutesPerDay)
        var minuteOfDay = Int(start - number * Self.minutesPerDay)
        while number * Self.minutesPerDay < end {
            let day = CivilDay(number: number)
            if !monthsOfYear.contains(day.month) {
                number += Int64(day.remainingInMonth) + 1
            } else if names(day), let found = firstMinuteOfDay(from: minuteOfDay) {
                let minute = number * Self.minutesPerDay + Int64(found)
                return minute < end ? minute : nil
            } else {
                number += 1
            }
            minuteOfDay = 0
        }
        return nil
    }

    /// How many wall-clock minutes are named from `start` on and before `end`.
    ///
    /// Costs a step for each day of the months named.
    func countMinutes(from start: Int64, before end: Int64) -> Int {
        var number = start.dividedDown(by: Self.minutesPerDay)
        var from = Int(start - number * Self.minutesPerDay)
        var count = 0
        while number * Self.minutesPerDay < end {
            let day = CivilDay(number: number)
            if !monthsOfYear.contains(day.month) {
                number += Int64(day.remainingInMonth)
            } else if names(day) {
                let left = end - number * Self.minutesPerDay
                count += countOfDay(from: from, before: Int(min(left, Self.minutesPerDay)))
            }
            number += 1
            from = 0
        }
        return count
    }

    private func countOfDay(from start: Int, before end: Int) -> Int {
        if start == 0, end == Self.minutesPerDay { return hours.count * minutes.count }
        guard start < end else { return 0 }
        let (firstHour, firstMinute) = start.quotientAndRemainder(dividingBy: 60)
        let (lastHour, lastMinute) = (end - 1).quotientAndRemainder(dividingBy: 60)
        guard firstHour < lastHour else {
            return hours.contains(firstHour)
                ? minutes.count(from: firstMinute, before: lastMinute + 1) : 0
        }
        var count = hours.count(from: firstHour + 1, before: lastHour) * minutes.count
        if hours.contains(firstHour) { count += minutes.count(from: firstMinute, before: 60) }
        if hours.contains(lastHour) { count += minutes.count(from: 0, before: lastMinute + 1) }
        return count
    }

    private func firstMinuteOfDay(from start: Int) -> Int? {
        let (hour, minute) = start.quotientAndRemainder(dividingBy: 60)
        if hours.contains(hour), let found = minutes.first(from: minute) {
            return hour * 60 + found
        }
        guard let later = hours.first(from: hour + 1), let first = minutes.first(from: 0) else {
            return nil
        }
        return later * 60 + first
    }

    private static let minutesPerDay: Int64 = 24 * 60
}
