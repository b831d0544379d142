import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Schedule")
struct ScheduleTests {
    private func instant(_ text: String) throws -> Date { try Date(text, strategy: .iso8601) }

    private func ticks(
        _ line: String, in zone: String, after start: String, count: Int
    ) throws -> [String] {
        let schedule = Schedule.crontab(
            try CronExpression(line), zone: try #require(TimeZone(identifier: zone)))
        var date = try instant(start)
        return try (0..<count).map { _ in
            date = try #require(schedule.next(after: date))
            return date.formatted(.iso8601)
        }
    }

    @Test(
        "ticks around a change of the clock",
        arguments: [
            // Berlin, 2026-03-29: 02:00 CET is 03:00 CEST, 01:00 UTC.
            (
                "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
            ),
            (
                "*/15 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z",
                ["2026-03-29T00:45:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"]
            ),
            (
                "*/15 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T00:15:00Z"]
            ),
            (
                "30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
                ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
            ),
            // A skipped time and the first one after the gap are one tick.
            (
                "0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]
            ),
            // Berlin, 2026-10-25: 03:00 CEST is 02:00 CET, 01:00 UTC.
            (
                "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
                ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
            ),
            (
                "*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
                [
                    "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z",
                    "2026-10-25T02:00:00Z",
                ]
            ),
            (
                "30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
                ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]
            ),
            // Asked in the second pass of the hour: it has fired already.
            ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", ["2026-10-26T01:30:00Z"]),
            ("0 3 * * *", "Europe/Berlin", "2026-10-25T00:59:59Z", ["2026-10-25T02:00:00Z"]),
            // Lord Howe changes by half an hour, at 02:00.
            (
                "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
                ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]
            ),
            (
                "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
                ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]
            ),
            // Samoa had no 30 December 2011 at all.
            (
                "0 9 30 12 *", "Pacific/Apia", "2011-06-01T00:00:00Z",
                ["2011-12-30T10:00:00Z", "2012-12-29T19:00:00Z"]
            ),
            // New York, 2026-11-01: 02:00 EDT is 01:00 EST.
            (
                "0 1 * * *", "America/New_York", "2026-11-01T00:00:00Z",
                ["2026-11-01T05:00:00Z", "2026-11-02T06:00:00Z"]
            ),
        ])
    func changes(line: String, zone: String, start: String, expected: [String]) throws {
        #expect(try ticks(line, in: zone, after: start, count: expected.count) == expected)
    }

    @Test(
        "days match day_of_month and day_of_week together",
        arguments: [
            (
                "0 0 13 * fri",
                ["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z", "2026-11-13T00:00:00Z"]
            ),
            ("0 0 1-7 * mon", ["2026-01-05T00:00:00Z", "2026-02-02T00:00:00Z"]),
            (
                "0 0 31 * *",
                ["2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"]
            ),
            ("0 0 29 2 *", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
            (
                "0 0 29 2 mon",
                ["2044-02-29T00:00:00Z", "2072-02-29T00:00:00Z", "2112-02-29T00:00:00Z"]
            ),
        ])
    func days(line: String, expected: [String]) throws {
        #expect(
            try ticks(line, in: "UTC", after: "2026-01-01T12:00:00Z", count: expected.count)
                == expected)
    }

    @Test("an interval falls on multiples since the epoch, whoever asks")
    func intervals() throws {
        let half = Schedule.every(.seconds(30))
        #expect(
            half.next(after: try instant("2026-05-02T12:00:00Z"))
                == (try instant("2026-05-02T12:00:30Z")))
        #expect(
            half.next(after: try instant("2026-05-02T12:00:29Z").addingTimeInterval(0.999))
                == (try instant("2026-05-02T12:00:30Z")))
        let week = Schedule.every(.seconds(7 * 86_400))
        // The epoch was a Thursday.
        #expect(
            week.next(after: try instant("2026-05-02T12:00:00Z"))
                == (try instant("2026-05-07T00:00:00Z")))
        #expect(
            half.next(after: Date(timeIntervalSince1970: -45)) == Date(timeIntervalSince1970: -30))
    }

    @Test("an interval's tick is followed by the next one, never by itself")
    func intervalProgress() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RepeatableRandom(seed: seed)
        for _ in 0..<2000 {
            let interval = Duration.milliseconds(Int.random(in: 1...100_000, using: &random))
            let schedule = Schedule.every(interval)
            let start = Date(
                timeIntervalSince1970: Double.random(in: 0...4_000_000_000, using: &random))
            let first = try #require(schedule.next(after: start))
            let second = try #require(schedule.next(after: first))
            #expect(first > start.addingTimeInterval(-1e-6), "seed \(seed)")
            #expect(
                abs(second.timeIntervalSince(first) - interval.inSeconds) < 2e-6,
                "seed \(seed): \(interval) after \(start.timeIntervalSince1970)")
            #expect(schedule.latest(after: start, upTo: second) == second, "seed \(seed)")
        }
    }

    @Test("the newest tick of many years is found without walking through them")
    func latest() throws {
        let minutely = Schedule.crontab(try CronExpression("* * * * *"), zone: .gmt)
        let start = try instant("1990-01-01T00:00:00Z")
        let end = try instant("2026-05-02T12:34:56Z")
        #expect(minutely.latest(after: start, upTo: end) == (try instant("2026-05-02T12:34:00Z")))
        #expect(minutely.latest(after: end, upTo: end) == nil)
        #expect(minutely.latest(after: end, upTo: start) == nil)
        let january = Schedule.crontab(try CronExpression("* 2 * 1 *"), zone: .gmt)
        #expect(january.latest(after: start, upTo: end) == (try instant("2026-01-31T02:59:00Z")))
    }

    @Test("dates beyond reason have no next tick")
    func extremes() throws {
        let schedule = Schedule.crontab(try CronExpression("* * * * *"), zone: .gmt)
        for seconds in [Double.infinity, -Double.infinity, .nan, 1e300] {
            let date = Date(timeIntervalSince1970: seconds)
            #expect(schedule.next(after: date) == nil)
            #expect(Schedule.every(.seconds(1)).next(after: date) == nil)
        }
        #expect(schedule.next(after: .distantPast) != nil)
        #expect(schedule.next(after: .distantFuture) != nil)
    }
}
