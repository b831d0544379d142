import Foundation
import JobModel
import Testing

/// Every minute around a change of a zone's clock, with what the wall clock shows: Foundation's
/// calendar is the reference, not the arithmetic under test.
private struct WallWindow {
    struct Wall: Hashable {
        var year: Int
        var month: Int
        var day: Int
        var hour: Int
        var minute: Int
        var weekday: Int

        init(_ date: Date, _ calendar: Calendar) {
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .weekday], from: date)
            year = parts.year ?? 0
            month = parts.month ?? 0
            day = parts.day ?? 0
            hour = parts.hour ?? 0
            minute = parts.minute ?? 0
            weekday = (parts.weekday ?? 1) - 1
        }

        func isNamed(by cron: CronExpression) -> Bool {
            cron.minutes.contains(minute) && cron.hours.contains(hour)
                && cron.daysOfMonth.contains(day) && cron.monthsOfYear.contains(month)
                && cron.daysOfWeek.contains(weekday)
        }
    }

    struct Minute {
        let instant: Date
        let wall: Wall
        /// Whether the wall clock showed the same before.
        let isRepeated: Bool
        /// What the wall clock jumped over to get here.
        let skipped: [Wall]
    }

    let zone: TimeZone
    let minutes: [Minute]

    init(zone: TimeZone, around change: String, hours: Int) throws {
        var local = Calendar(identifier: .gregorian)
        local.timeZone = zone
        var plain = Calendar(identifier: .gregorian)
        plain.timeZone = .gmt
        let middle = try Date(change, strategy: .iso8601)
        let start = middle.addingTimeInterval(-Double(hours) * 3600)
        var seen: Set<Wall> = []
        var last: Date?
        var minutes: [Minute] = []
        for number in 0..<(hours * 120) {
            let instant = start.addingTimeInterval(Double(number) * 60)
            let wall = Wall(instant, local)
            // The wall clock as if it were UTC, to see how far it moved.
            let shown = plain.date(
                from: DateComponents(
                    year: wall.year, month: wall.month, day: wall.day, hour: wall.hour,
                    minute: wall.minute))
            var skipped: [Wall] = []
            if let last, let shown {
                var missing = last.addingTimeInterval(60)
                while missing < shown {
                    skipped.append(Wall(missing, plain))
                    missing += 60
                }
            }
            last = shown
            minutes.append(
                Minute(
                    instant: instant, wall: wall, isRepeated: !seen.insert(wall).inserted,
                    skipped: skipped))
        }
        self.zone = zone
        self.minutes = minutes
    }

    /// The ticks of a crontab, by looking at every minute.
    func ticks(of cron: CronExpression, isRhythm: Bool) -> [Date] {
        minutes.filter { minute in
            if minute.skipped.contains(where: { $0.isNamed(by: cron) }) { return true }
            return minute.wall.isNamed(by: cron) && (isRhythm || !minute.isRepeated)
        }.map(\.instant)
    }
}

@Suite("Schedule against brute force")
struct SchedulePropertyTests {
    @Test(
        "ticks are those found by looking at every minute, around a change of the clock",
        arguments: [
            ("Europe/Berlin", "2026-03-29T01:00:00Z"), ("Europe/Berlin", "2026-10-25T01:00:00Z"),
            ("America/New_York", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-11-01T06:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"), ("UTC", "2026-02-28T00:00:00Z"),
            ("Pacific/Apia", "2011-12-30T10:00:00Z"), ("Asia/Pyongyang", "2015-08-14T15:00:00Z"),
            ("Asia/Pyongyang", "2018-05-04T15:00:00Z"),
            ("Europe/Istanbul", "2016-09-06T21:00:00Z"),
            ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
        ])
    func bruteForce(name: String, change: String) throws {
        let zone = try #require(TimeZone(identifier: name))
        let window = try WallWindow(zone: zone, around: change, hours: 60)
        let first = try #require(window.minutes.first).instant.addingTimeInterval(-1)
        let last = try #require(window.minutes.last).instant
        let seed = UInt64.random(in: .min ... .max)
        var samples = CronSamples(seed: seed)
        var compared = 0
        for number in 0..<150 {
            let fields = number % 3 == 0 ? samples.fields() : samples.smallHours()
            guard let cron = try? CronExpression(fields: fields) else { continue }
            let isRhythm = fields[0].contains("*") || Array(cron.hours) == Array(0...23)
            let expected = window.ticks(of: cron, isRhythm: isRhythm)
            let schedule = Schedule.crontab(cron, zone: zone)
            var found: [Date] = []
            var date = first
            while let next = schedule.next(after: date), next <= last {
                found.append(next)
                date = next
            }
            #expect(found == expected, "seed \(seed): \(cron) in \(name)")
            compared += expected.count

            // From anywhere in the window, the answer is the same.
            for _ in 0..<20 {
                let offset = Double.random(
                    in: 0..<last.timeIntervalSince(first), using: &samples.random)
                let start = first.addingTimeInterval(offset)
                let next = schedule.next(after: start).flatMap { $0 <= last ? $0 : nil }
                #expect(
                    next == expected.first { $0 > start },
                    "seed \(seed): \(cron) in \(name) after \(start.timeIntervalSince1970)")
                #expect(
                    schedule.latest(after: first, upTo: start) == expected.last { $0 <= start },
                    "seed \(seed): \(cron) in \(name) up to \(start.timeIntervalSince1970)")
            }
        }
        #expect(compared > 1000, "seed \(seed): the samples hardly ever fired")
    }

    @Test(
        "ticks are counted, and looked back to, as if one had gone through them",
        arguments: [
            "UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia",
        ])
    func countedAndPrevious(name: String) throws {
        let zone = try #require(TimeZone(identifier: name))
        let seed = UInt64.random(in: .min ... .max)
        var samples = CronSamples(seed: seed)
        var compared = 0
        while compared < 60 {
            let fields = compared % 2 == 0 ? samples.fields() : samples.smallHours()
            guard let cron = try? CronExpression(fields: fields) else { continue }
            let schedule = Schedule.crontab(cron, zone: zone)
            // 2011 has the day that Samoa left out.
            let start = Date(
                timeIntervalSince1970: Double.random(
                    in: 1_300_000_000...1_900_000_000, using: &samples.random))
            var ticks: [Date] = []
            // Counting looks back forty years.
            let end = start.addingTimeInterval(39 * 366 * 86_400)
            while ticks.count < 300, let next = schedule.next(after: ticks.last ?? start),
                next < end
            {
                ticks.append(next)
            }
            guard ticks.count > 1 else { continue }
            let subject = "seed \(seed): \(cron) in \(name) from \(start.timeIntervalSince1970)"
            for _ in 0..<5 {
                let low = Int.random(in: 0..<ticks.count, using: &samples.random)
                let high = Int.random(in: low..<ticks.count, using: &samples.random)
                #expect(
                    schedule.count(after: ticks[low], upTo: ticks[high]) == high - low, "\(subject)"
                )
                #expect(
                    schedule.count(after: start, upTo: ticks[high].addingTimeInterval(-0.001))
                        == high, "\(subject)")
            }
            for (tick, following) in zip(ticks, ticks.dropFirst()).prefix(20) {
                #expect(schedule.latest(before: following) == tick, "\(subject)")
                #expect(
                    schedule.latest(before: following.addingTimeInterval(0.5)) == following,
                    "\(subject)")
            }
            compared += 1
        }
    }

    @Test("an interval's ticks are counted by division")
    func countedIntervals() throws {
        let seed = UInt64.random(in: .min ... .max)
        var samples = CronSamples(seed: seed)
        for _ in 0..<500 {
            let step = Int.random(in: 1...5000, using: &samples.random)
            let schedule = Schedule.every(.milliseconds(step))
            let start = Date(
                timeIntervalSince1970: Double.random(in: -1e6...1e9, using: &samples.random))
            var last = start
            let count = Int.random(in: 1...50, using: &samples.random)
            for _ in 0..<count { last = try #require(schedule.next(after: last)) }
            #expect(schedule.count(after: start, upTo: last) == count, "seed \(seed): \(step) ms")
            #expect(schedule.count(after: last, upTo: start) == 0)
            let next = try #require(schedule.next(after: last))
            #expect(schedule.latest(before: next) == last, "seed \(seed): \(step) ms")
        }
        let century = Schedule.every(.seconds(1)).count(
            after: Date(timeIntervalSince1970: 0), upTo: Date(timeIntervalSince1970: 3.2e9))
        #expect(century == 3_200_000_000)
    }
}
