import JobModel
import Testing

@Suite("CronExpression")
struct CronExpressionTests {
    @Test(
        "a field means what Celery means by it",
        arguments: [
            ("minute", "*/15", [0, 15, 30, 45]), ("minute", "50-10/7", [4, 50, 57]),
            ("minute", "05", [5]), ("minute", "*/100", [0]), ("minute", "59-0", [0, 59]),
            ("minute", "10-12,40-30/25", [5, 10, 11, 12, 30, 40]), ("minute", "1 , 2", [1, 2]),
            ("hour", "22-3/2", [0, 2, 22]), ("hour", "*/7", [0, 7, 14, 21]),
            ("day_of_month", "*/3", [1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31]),
            ("day_of_month", "28-3/2", [1, 3, 28, 30]),
            ("month_of_year", "*/5", [1, 6, 11]), ("month_of_year", "nov-feb/2", [1, 11]),
            ("month_of_year", "January,sept", [1, 9]), ("month_of_year", "9-2/3", [9, 12]),
            ("day_of_week", "*/2", [0, 2, 4, 6]), ("day_of_week", "fri-mon", [0, 1, 5, 6]),
            ("day_of_week", "MON-fri/2", [1, 3, 5]), ("day_of_week", "thurs,tues", [2, 4]),
            ("day_of_week", "sunday", [0]), ("day_of_week", " mon, wed-fri ", [1, 3, 4, 5]),
        ])
    func field(name: String, text: String, values: [Int]) throws {
        let field = try #require(CronField(rawValue: name))
        var fields: [CronField: String] = [:]
        fields[field] = text
        let expression = try CronExpression(fields: CronField.allCases.map { fields[$0] ?? "*" })
        let read: CronValues =
            switch field {
            case .minute: expression.minutes
            case .hour: expression.hours
            case .dayOfMonth: expression.daysOfMonth
            case .monthOfYear: expression.monthsOfYear
            case .dayOfWeek: expression.daysOfWeek
            }
        #expect(Array(read) == values)
    }

    @Test(
        "a bad field is refused, and the error names the field, its text and the reason",
        arguments: [
            ("60 * * * *", "minute \"60\" has 60, which is above 59"),
            ("* 24 * * *", "hour \"24\" has 24, which is above 23"),
            ("* * 0 * *", "day_of_month \"0\" has 0, which is below 1"),
            ("* * * 13 *", "month_of_year \"13\" has 13, which is above 12"),
            ("* * * * 7", "day_of_week \"7\" has 7, which is above 6; Sunday is 0"),
            ("5/10 * * * *", "minute \"5/10\" has a step after \"5\"; a step follows * or a range"),
            ("*/0 * * * *", "minute \"*/0\" has a step of 0"),
            ("*/x * * * *", "minute \"*/x\" has the step \"x\", which is not a number"),
            ("*/ * * * *", "minute \"*/\" has the step \"\", which is not a number"),
            ("*/5-10 * * * *", "minute \"*/5-10\" has the step \"5-10\", which is not a number"),
            ("*/5/2 * * * *", "minute \"*/5/2\" has two steps in \"*/5/2\""),
            ("1,,2 * * * *", "minute \"1,,2\" has an empty part"),
            ("-5 * * * *", "minute \"-5\" has \"\", which is not a number"),
            ("1-2-3 * * * *", "minute \"1-2-3\" has \"1-2-3\", which is not a range of two values"),
            ("*-5 * * * *", "minute \"*-5\" has \"*\", which is not a number"),
            ("jan * * * *", "minute \"jan\" has \"jan\", which is not a number"),
            ("+5 * * * *", "minute \"+5\" has \"+5\", which is not a number"),
            ("1_0 * * * *", "minute \"1_0\" has \"1_0\", which is not a number"),
            ("\u{663} * * * *", "minute \"\u{663}\" has \"\u{663}\", which is not a number"),
            (
                "* * * * mon#1",
                "day_of_week \"mon#1\" has \"mon#1\", which is not a number or a"
                    + " day's name"
            ),
            (
                "* * * * jan",
                "day_of_week \"jan\" has \"jan\", which is not a number or a day's name"
            ),
            ("* * * * mo", "day_of_week \"mo\" has \"mo\", which is not a number or a day's name"),
            (
                "* * * monkey *",
                "month_of_year \"monkey\" has \"monkey\", which is not a number or"
                    + " a month's name"
            ),
            ("* * L * *", "day_of_month \"L\" has \"L\", which is not a number"),
            (
                "* * * *",
                "crontab \"* * * *\" has 4 fields where 5 are needed"
                    + " (minute hour day_of_month month_of_year day_of_week)"
            ),
            (
                "0 0 * * * *",
                "crontab \"0 0 * * * *\" has 6 fields where 5 are needed"
                    + " (minute hour day_of_month month_of_year day_of_week)"
            ),
            (
                "@daily",
                "crontab \"@daily\" has 1 fields where 5 are needed"
                    + " (minute hour day_of_month month_of_year day_of_week);"
                    + " words such as @daily are not known"
            ),
            ("0 0 30 2 *", "day_of_month \"30\" never occurs in month_of_year \"2\""),
            (
                "0 0 31 4,6,sep-nov/2 *",
                "day_of_month \"31\" never occurs in month_of_year \"4,6,sep-nov/2\""
            ),
        ])
    func errors(line: String, message: String) {
        let error = #expect(throws: CronError.self) { try CronExpression(line) }
        #expect(error?.description == message)
    }

    @Test(
        "dates that are rare are accepted",
        arguments: ["0 0 29 2 *", "0 0 29 2 mon", "0 0 31 2-3 *"])
    func rare(line: String) throws {
        #expect(try CronExpression(line).description == line)
    }

    @Test("a field of any length is read or refused, not built up without end")
    func long() {
        let error = #expect(throws: CronError.self) {
            try CronExpression(minute: String(repeating: "1,", count: 100_000) + "1")
        }
        #expect(error?.problem == "is longer than 512 bytes")
        #expect(error?.text.count == 33)
    }

    @Test("a field that is not given is every value")
    func defaults() throws {
        #expect(try CronExpression(minute: "0", hour: "4").description == "0 4 * * *")
        #expect(try CronExpression(hour: "1, 2").description == "* 1,2 * * *")
    }

    @Test(
        "a rhythm runs in both passes of an hour, times of day only in the first",
        arguments: [
            ("* 2 * * *", true), ("*/15 2 * * *", true), ("30 * * * *", true),
            ("0 */1 * * *", true),
            ("0,30 2 * * *", false), ("30 2 * * *", false), ("0 */2 * * *", false),
            ("0-59/15 2 * * *", false),
        ])
    func rhythm(line: String, runs: Bool) throws {
        #expect(try CronExpression(line).runsInRepeatedHour == runs)
    }
}
