import Broker
import Foundation
import JobModel
import Scheduler
import TestSupport
import Testing

/// The rules of docs/scheduling.md read literally: goes through every tick, one by one.
private struct PlainBeat {
    typealias Step = (dueAt: Date, missed: Int, action: Beat.Decision.Action)

    let entry: ScheduleEntry

    /// Every tick after `start` that has fired at `now`.
    func due(after start: Date, at now: Date) -> [Date] {
        var ticks: [Date] = []
        var date = start
        while let tick = entry.schedule.next(after: date), tick <= now {
            date = tick
            if let starts = entry.starts, tick < starts { continue }
            if let ends = entry.ends, tick >= ends { break }
            if entry.firesAt(tick) <= now { ticks.append(tick) }
        }
        return ticks
    }

    func isHoliday(_ tick: Date) -> Bool {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = entry.zone
        let parts = calendar.dateComponents([.year, .month, .day], from: tick)
        return CivilDay(year: parts.year ?? 0, month: parts.month ?? 0, day: parts.day ?? 0)
            .map { Samples.holidays.contains($0.text) && entry.holidays != nil } ?? false
    }

    func round(newest: Date, at now: Date) -> [Step] {
        let ticks = due(after: newest, at: now)
        guard let last = ticks.last else { return [] }
        if entry.isPaused { return [(last, ticks.count - 1, .pass(.paused))] }
        let late = ticks.filter {
            now.timeIntervalSince(entry.firesAt($0)) >= entry.misfireAfter.inSeconds + 0.001
        }
        let onTime = ticks.dropFirst(late.count)
        let working = late.filter { !isHoliday($0) }
        var chosen: [(Date, Beat.Decision.Action)] = []
        switch entry.misfire {
        case .skip: break
        case .runOnce:
            if !onTime.prefix(Beat.maximumDecisions).contains(where: { !isHoliday($0) }) {
                chosen = working.suffix(1).map { ($0, .enqueue) }
            }
        case .runAll: chosen = working.suffix(entry.misfireLimit).map { ($0, .enqueue) }
        }
        if onTime.isEmpty, let end = late.last, chosen.last.map({ $0.0 < end }) ?? true {
            chosen.append((end, .pass(isHoliday(end) ? .holiday : .misfire)))
        }
        chosen += onTime.map { ($0, isHoliday($0) ? .pass(.holiday) : .enqueue) }
        var previous = newest
        return chosen.prefix(Beat.maximumDecisions).map { tick, action in
            defer { previous = tick }
            return (tick, ticks.filter { $0 > previous && $0 < tick }.count, action)
        }
    }
}

/// Random entries.
private struct Samples {
    static let holidays: Set<String> = ["2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25"]

    var random: RepeatableRandom

    mutating func entry() throws -> ScheduleEntry {
        let zone = try #require(
            TimeZone(
                identifier: ["GMT", "Europe/Berlin", "America/New_York"].randomElement(
                    using: &random) ?? "GMT"))
        let crontabs = [
            "* * * * *", "*/5 * * * *", "*/15 * * * *", "30 * * * *", "30 2 * * *",
            "0,30 1-4 * * *",
            "0 0 * * mon-fri", "*/10 2 * * sun",
        ]
        let schedule: Schedule
        if Bool.random(using: &random) {
            let seconds = [1, 2, 7, 30, 60, 300, 3600].randomElement(using: &random) ?? 1
            schedule = .every(.seconds(seconds))
        } else {
            let line = crontabs.randomElement(using: &random) ?? "* * * * *"
            schedule = .crontab(try CronExpression(line), zone: zone)
        }
        var entry = ScheduleEntry(name: "e", job: "a", schedule: schedule)
        entry.zone = zone
        entry.misfire = MisfirePolicy.allCases.randomElement(using: &random) ?? .skip
        let latest = [1, 60, 60, 60, 900].randomElement(using: &random) ?? 60
        entry.misfireAfter = .seconds(latest)
        entry.misfireLimit = [1, 5, 100, 150].randomElement(using: &random) ?? 100
        if Int.random(in: 0..<3, using: &random) == 0 {
            if case .every(let interval) = schedule { entry.jitter = interval / 2 }
            if case .crontab = schedule { entry.jitter = .seconds(600) }
        }
        if Int.random(in: 0..<2, using: &random) == 0 {
            entry.holidays = HolidayCalendar(
                name: "x",
                days: Self.holidays.compactMap { day in
                    CivilDay(text: Substring(day)).map { $0.number...$0.number }
                })
        }
        return entry
    }

    /// Long enough that outages matter, short enough to go through every tick.
    mutating func pause(of entry: ScheduleEntry) -> Double {
        let short: Double = if case .every(.seconds(1)) = entry.schedule { 600 } else { 7200 }
        return switch Int.random(in: 0..<6, using: &random) {
        case 0: 0
        case 1, 2: Double.random(in: 0...2, using: &random)
        case 3, 4: Double.random(in: 0...90, using: &random)
        default: Double.random(in: 0...short, using: &random)
        }
    }
}

@Suite("Beat by random entries and outages")
struct BeatPropertyTests {
    @Test("each round decides what the rules say, and every tick is decided about or counted once")
    func model() throws {
        let seed = UInt64.random(in: .min ... .max)
        var samples = Samples(random: RepeatableRandom(seed: seed))
        var actions: [String: Int] = [:]
        for _ in 0..<150 {
            var entry = try samples.entry()
            // Around the days on which clocks change, which are holidays too.
            let start = Date(
                timeIntervalSince1970: (Bool.random(using: &samples.random)
                    ? 1_774_742_400 : 1_792_880_000)
                    + Double.random(in: -43_200...43_200, using: &samples.random))
            if Int.random(in: 0..<4, using: &samples.random) == 0 {
                entry.starts = start.addingTimeInterval(
                    Double.random(in: 0...7200, using: &samples.random).rounded())
                entry.ends = entry.starts?.addingTimeInterval(5 * 3600)
            }
            var now = start
            var newest = start
            var accounted = 0
            for _ in 0..<25 {
                now = now.addingTimeInterval(samples.pause(of: entry))
                entry.isPaused = Int.random(in: 0..<10, using: &samples.random) == 0
                let expected = PlainBeat(entry: entry).round(newest: newest, at: now)
                let round = Beat(entries: [entry]).round(at: now, newestTicks: ["e": newest])
                let subject = "seed \(seed): \(entry) after \(newest) at \(now)"
                try #require(round.decisions.count == expected.count, "\(subject)")
                for (found, wanted) in zip(round.decisions, expected) {
                    #expect(found.tick.dueAt == wanted.dueAt, "\(subject)")
                    #expect(found.missed == wanted.missed, "\(subject)")
                    #expect(found.action == wanted.action, "\(subject)")
                    #expect(found.tick.previous == newest, "\(subject)")
                    newest = found.tick.dueAt
                    accounted += 1 + found.missed
                    actions["\(found.action)", default: 0] += 1
                }
                // Nothing that has fired is left, unless the next round comes at once.
                let left = PlainBeat(entry: entry).due(after: newest, at: now)
                if left.isEmpty {
                    #expect(round.nextDue.map { $0 > now } ?? true, "\(subject)")
                } else {
                    #expect(round.nextDue.map { $0 <= now } ?? false, "\(subject)")
                }
            }
            let all = PlainBeat(entry: entry).due(after: start, at: now)
            #expect(accounted == all.filter { $0 <= newest }.count, "seed \(seed): \(entry)")
        }
        #expect(actions.count == 4, "seed \(seed): not every action was seen: \(actions)")
    }

    @Test("a scheduler that wakes when it is told to is late for no tick")
    func wakeUps() throws {
        let seed = UInt64.random(in: .min ... .max)
        var samples = Samples(random: RepeatableRandom(seed: seed))
        for _ in 0..<60 {
            let entry = try samples.entry()
            let start = Date(timeIntervalSince1970: 1_792_880_000)
            var newest = start
            var now = start
            for _ in 0..<50 {
                let round = Beat(entries: [entry]).round(at: now, newestTicks: ["e": newest])
                for decision in round.decisions {
                    #expect(
                        abs(entry.firesAt(decision.tick.dueAt).timeIntervalSince(now)) < 0.001,
                        "seed \(seed): \(entry) at \(now)")
                    #expect(decision.missed == 0)
                    newest = decision.tick.dueAt
                }
                now = try #require(round.nextDue)
            }
        }
    }
}
