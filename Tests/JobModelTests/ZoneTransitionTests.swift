import Foundation
import JobModel
import TestSupport
import Testing

/// The changes of every zone's offset between 2020 and 2035, as Python reads the system's database.
///
/// A change undone within a week would be overlooked; Foundation would report it, and the
/// two would differ.
private struct SystemZones {
    /// An instant from which on an offset holds, both in seconds.
    struct Change: Hashable {
        let instant: Int
        let offset: Int
    }

    private static let script = """
        import datetime, json, sys, zoneinfo
        utc = datetime.timezone.utc
        first = int(datetime.datetime(2020, 1, 1, tzinfo=utc).timestamp())
        last = int(datetime.datetime(2036, 1, 1, tzinfo=utc).timestamp())
        def changes(zone):
            def offset(second):
                date = datetime.datetime.fromtimestamp(second, zone)
                return int(date.utcoffset().total_seconds())
            now = offset(first)
            found = [[first, now]]
            for begin in range(first, last, 7 * 86400):
                end = begin + 7 * 86400
                if offset(end) == now:
                    continue
                low, high = begin, end
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if offset(middle) == now else (low, middle)
                now = offset(end)
                found.append([high, now])
            return found
        names = zoneinfo.available_timezones() - {"localtime"}
        json.dump({n: changes(zoneinfo.ZoneInfo(n)) for n in names}, sys.stdout)
        """

    /// Read once for all tests.
    static let read = Result { try SystemZones() }

    /// The names of zones that change alike, by their changes; the first holds at the beginning.
    let names: [[Change]: [String]]

    init() throws {
        let read = try JSONDecoder().decode(
            [String: [[Int]]].self, from: TestPython.output(of: Self.script))
        names = Dictionary(
            grouping: read.keys.sorted(),
            by: { (read[$0] ?? []).map { Change(instant: $0[0], offset: $0[1]) } })
    }
}

/// Every minute around one change, with what the wall clock shows: sums and a table of days, not the
/// arithmetic under test.
private struct ChangeWindow {
    struct Day {
        let month: Int
        let day: Int
        let weekday: Int
    }

    struct Minute {
        let instant: Int
        let wall: Int
        let isRepeated: Bool
        /// Wall-clock minutes jumped over to get here.
        let skipped: [Int]
    }

    static let reach = 4 * 60

    let minutes: [Minute]

    init(_ changes: [SystemZones.Change], around index: Int) {
        func offset(_ instant: Int) -> Int {
            changes.last { $0.instant <= instant }?.offset ?? changes[0].offset
        }
        let middle = changes[index].instant
        var seen: Set<Int> = []
        var latest: Int?
        minutes = (-Self.reach..<Self.reach).map { number in
            let instant = middle + number * 60
            let wall = (instant + offset(instant)) / 60
            let skipped = latest.map { $0 + 1 < wall ? Array(($0 + 1)..<wall) : [] } ?? []
            latest = wall
            return Minute(
                instant: instant, wall: wall, isRepeated: !seen.insert(wall).inserted,
                skipped: skipped)
        }
    }

    func ticks(of cron: CronExpression, isRhythm: Bool, _ days: inout DayTable) -> [Int] {
        minutes.filter { minute in
            if minute.skipped.contains(where: { days.isNamed($0, by: cron) }) { return true }
            return (isRhythm || !minute.isRepeated) && days.isNamed(minute.wall, by: cron)
        }.map(\.instant)
    }
}

/// Foundation's calendar, asked once for each day.
private struct DayTable {
    private var days: [Int: ChangeWindow.Day] = [:]
    private let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()

    mutating func isNamed(_ wallMinute: Int, by cron: CronExpression) -> Bool {
        guard cron.minutes.contains(wallMinute % 60), cron.hours.contains(wallMinute / 60 % 24)
        else { return false }
        let day = day(wallMinute / 1440)
        return cron.monthsOfYear.contains(day.month) && cron.daysOfMonth.contains(day.day)
            && cron.daysOfWeek.contains(day.weekday)
    }

    mutating func day(_ number: Int) -> ChangeWindow.Day {
        if let known = days[number] { return known }
        let parts = calendar.dateComponents(
            [.month, .day, .weekday],
            from: Date(timeIntervalSince1970: Double(number) * 86_400))
        let day = ChangeWindow.Day(
            month: parts.month ?? 0, day: parts.day ?? 0, weekday: (parts.weekday ?? 1) - 1)
        days[number] = day
        return day
    }
}

@Suite("Schedule at every change of every zone")
struct ZoneTransitionTests {
    /// Crontabs that name the minutes that are skipped or repeated, or go through them.
    private func shapes(
        around wall: Int, _ samples: inout CronSamples, _ days: inout DayTable
    ) -> [[String]] {
        let (hour, minute) = (wall / 60 % 24, wall % 60)
        let day = days.day(wall / 1440)
        let before = (hour + 23) % 24
        let after = (hour + 1) % 24
        return [
            ["*/5", "*", "*", "*", "*"],
            ["\(minute)", "*", "*", "*", "*"],
            ["\(minute)", "\(hour)", "*", "*", "*"],
            ["0,30,\(minute)", "\(before)-\(after)", "*", "*", "*"],
            ["*/7", "\(hour)", "*", "*", "*"],
            ["0", "*/2", "*", "*", "*"],
            ["0", "\(hour),\(after)", "*", "*", "*"],
            ["59", "\(before),\(hour)", "\(day.day)", "\(day.month)", "*"],
            ["\(minute)", "\(hour)", "*", "*", "\(day.weekday)"],
            samples.smallHours(),
        ]
    }

    @Test("every zone of the system changes its clock when the system says")
    func agreement() throws {
        let zones = try SystemZones.read.get()
        var compared = 0
        for (changes, names) in zones.names {
            for name in names {
                let zone = try #require(TimeZone(identifier: name), "\(name)")
                var found = [changes[0]]
                var instant = Double(changes[0].instant)
                #expect(
                    zone.secondsFromGMT(for: Date(timeIntervalSince1970: instant))
                        == changes[0].offset, "\(name)")
                while let next = zone.nextDaylightSavingTimeTransition(
                    after: Date(timeIntervalSince1970: instant)),
                    next.timeIntervalSince1970 < 2_082_758_400
                {
                    instant = next.timeIntervalSince1970
                    let offset = zone.secondsFromGMT(for: next)
                    guard offset != found.last?.offset else { continue }
                    found.append(.init(instant: Int(instant), offset: offset))
                }
                #expect(found == changes, "\(name)")
                compared += 1
            }
        }
        #expect(compared > 400, "only \(compared) zones were found")
    }

    @Test("around every change from 2020 to 2035 the ticks are those found minute by minute")
    func bruteForce() throws {
        let zones = try SystemZones.read.get()
        var samples = CronSamples(seed: .random(in: .min ... .max))
        var days = DayTable()
        var changeCount = 0
        var tickCount = 0
        // Zones that change alike are one: what is under test asks a zone for nothing else.
        for (changes, names) in zones.names where changes.count > 1 {
            let zone = try #require(TimeZone(identifier: names[0]))
            for index in changes.indices.dropFirst() {
                let window = ChangeWindow(changes, around: index)
                let offsets = (changes[index - 1].offset + changes[index].offset) / 2
                let wall = (changes[index].instant + offsets) / 60
                changeCount += 1
                for fields in shapes(around: wall, &samples, &days) {
                    guard let cron = try? CronExpression(fields: fields) else { continue }
                    let isRhythm = fields[0].contains("*") || fields[1] == "*"
                    let expected = window.ticks(of: cron, isRhythm: isRhythm, &days)
                    let subject = "seed \(samples.random.seed): \(cron) in \(names[0])"
                    compare(
                        Schedule.crontab(cron, zone: zone), expected, in: window,
                        "\(subject) around \(changes[index].instant)")
                    tickCount += expected.count
                }
            }
        }
        #expect(changeCount > 800, "only \(changeCount) changes were found")
        #expect(tickCount > 100_000, "the samples hardly ever fired")
    }

    private func compare(
        _ schedule: Schedule, _ expected: [Int], in window: ChangeWindow, _ subject: String
    ) {
        let first = window.minutes[0].instant
        let last = window.minutes[window.minutes.count - 1].instant
        var found: [Int] = []
        var date = Date(timeIntervalSince1970: Double(first - 1))
        while let next = schedule.next(after: date), next.timeIntervalSince1970 <= Double(last) {
            found.append(Int(next.timeIntervalSince1970))
            date = next
        }
        #expect(found == expected, "\(subject)")
        // Asked from anywhere, at the change itself above all, the answer is the same.
        let middle = window.minutes[ChangeWindow.reach].instant
        for start in [middle - 3600, middle - 1, middle, middle + 1, middle + 1800, middle + 3599] {
            let next = schedule.next(after: Date(timeIntervalSince1970: Double(start)))
                .flatMap { $0.timeIntervalSince1970 <= Double(last) ? $0 : nil }
            #expect(
                next.map { Int($0.timeIntervalSince1970) } == expected.first { $0 > start },
                "\(subject) after \(start)")
        }
    }
}
