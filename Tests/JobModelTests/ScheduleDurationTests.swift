import JobModel
import Testing

@Suite("Duration from text")
struct ScheduleDurationTests {
    @Test(
        "a length of time is read with its units",
        arguments: [
            ("30s", Duration.seconds(30)), ("4m", .seconds(240)), ("1h30m", .seconds(5400)),
            ("250ms", .milliseconds(250)), ("1w2d3h4m5s6ms", .milliseconds(788_645_006)),
            ("0s", .zero), ("36525d", .seconds(3_155_760_000)),
        ])
    func reads(text: String, duration: Duration) throws {
        #expect(try Duration(text: text) == duration)
    }

    @Test(
        "what has no unit, a wrong one, or too much of it is refused",
        arguments: [
            ("", "\"\" is empty"), ("30", "\"30\" has no unit; write 30s for seconds"),
            ("s", "\"s\" is not a length of time such as 30s, 4m or 1h30m"),
            ("-5s", "\"-5s\" is not a length of time such as 30s, 4m or 1h30m"),
            ("1.5h", "\"1.5h\" has no unit; write 1s for seconds"),
            ("5y", "\"5y\" has the unknown unit \"y\"; known are w, d, h, m, s, ms"),
            ("5S", "\"5S\" has the unknown unit \"S\"; known are w, d, h, m, s, ms"),
            ("30m1h", "\"30m1h\" has its units out of order"),
            ("1m1m", "\"1m1m\" has its units out of order"),
            ("36526d", "\"36526d\" is longer than a hundred years"),
            ("99999999999999999w", "\"99999999999999999w\" is longer than a hundred years"),
            (
                "99999999999999999999s",
                "\"99999999999999999999s\" is not a length of time such as 30s, 4m or 1h30m"
            ),
            ("1h 30m", "\"1h 30m\" is not a length of time such as 30s, 4m or 1h30m"),
        ])
    func refuses(text: String, message: String) {
        let error = #expect(throws: InvalidDuration.self) { try Duration(text: text) }
        #expect(error?.description == message)
    }
}
