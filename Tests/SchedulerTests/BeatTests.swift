import Broker
import Foundation
import JobModel
import Scheduler
import Testing

@Suite("Beat")
struct BeatTests {
    private let daily: ScheduleEntry
    private let halfMinute = ScheduleEntry(
        name: "half-minute", job: "b", schedule: .every(.seconds(30)))

    init() throws {
        daily = ScheduleEntry(
            name: "daily", job: "a",
            schedule: .crontab(try CronExpression("30 2 * * *"), zone: .gmt))
    }

    private func round(
        _ entries: [ScheduleEntry], at now: String, last: [String: String] = [:]
    ) -> Beat.Round {
        Beat(entries: entries).round(at: instant(now), newestTicks: last.mapValues(instant))
    }

    /// What a round decides, as text: `due time action +missed`.
    private func text(_ round: Beat.Round) -> [String] {
        round.decisions.map { decision in
            let time = decision.tick.dueAt.formatted(.iso8601)
            let action =
                switch decision.action {
                case .enqueue: "enqueue"
                case .pass(let reason): "pass:\(reason.rawValue)"
                }
            return "\(time) \(action) +\(decision.missed)"
        }
    }

    @Test("a new entry does not fire for the past")
    func newEntry() {
        let round = round([daily], at: "2026-05-02T12:00:00Z")
        #expect(round.decisions.isEmpty)
        #expect(round.nextDue == instant("2026-05-03T02:30:00Z"))
    }

    @Test("a tick is due at its very second and not before")
    func exact() {
        let last = ["daily": "2026-05-01T02:30:00Z"]
        #expect(round([daily], at: "2026-05-02T02:29:59Z", last: last).decisions.isEmpty)
        let now = round([daily], at: "2026-05-02T02:30:00Z", last: last)
        let tick = Tick(
            entry: daily, dueAt: instant("2026-05-02T02:30:00Z"),
            previous: instant("2026-05-01T02:30:00Z"))
        #expect(now.decisions == [Beat.Decision(tick: tick, missed: 0, action: .enqueue)])
        #expect(now.nextDue == instant("2026-05-03T02:30:00Z"))
    }

    @Test("a recorded tick is not due again")
    func recorded() {
        let last = ["daily": "2026-05-02T02:30:00Z"]
        #expect(round([daily], at: "2026-05-02T02:30:00Z", last: last).decisions.isEmpty)
        #expect(round([daily], at: "2026-05-02T23:00:00Z", last: last).decisions.isEmpty)
    }

    @Test("run_once makes up for a week of missed ticks with the newest one")
    func runOnce() {
        let round = round(
            [daily], at: "2026-05-09T12:00:00Z", last: ["daily": "2026-05-01T02:30:00Z"])
        #expect(text(round) == ["2026-05-09T02:30:00Z enqueue +7"])
    }

    @Test("skip passes over what is later than it may be, and keeps what is not")
    func skip() {
        var entry = daily
        entry.misfire = .skip
        let last = ["daily": "2026-05-01T02:30:00Z"]
        #expect(
            text(round([entry], at: "2026-05-02T02:31:00Z", last: last))
                == ["2026-05-02T02:30:00Z enqueue +0"])
        let late = round([entry], at: "2026-05-02T02:31:01Z", last: last)
        #expect(text(late) == ["2026-05-02T02:30:00Z pass:misfire +0"])
        #expect(late.nextDue == instant("2026-05-03T02:30:00Z"))
        entry.misfireAfter = .seconds(3600)
        #expect(
            text(round([entry], at: "2026-05-02T03:30:00Z", last: last))
                == ["2026-05-02T02:30:00Z enqueue +0"])
        #expect(
            text(round([entry], at: "2026-05-04T02:30:00Z", last: last))
                == ["2026-05-04T02:30:00Z enqueue +2"])
    }

    @Test("every tick that is not late is enqueued, oldest first, each on the one before")
    func onTime() {
        let round = round(
            [halfMinute], at: "2026-05-02T10:01:10Z", last: ["half-minute": "2026-05-02T09:00:00Z"])
        #expect(
            text(round) == [
                "2026-05-02T10:00:30Z enqueue +120", "2026-05-02T10:01:00Z enqueue +0",
            ])
        #expect(round.decisions.map(\.tick.previous).last == instant("2026-05-02T10:00:30Z"))
    }

    @Test("more ticks than fit a round follow at once")
    func cut() {
        var entry = ScheduleEntry(name: "second", job: "a", schedule: .every(.seconds(1)))
        entry.misfireAfter = .seconds(600)
        let now = "2026-05-02T12:05:00Z"
        var last = "2026-05-02T12:00:00Z"
        var counts: [Int] = []
        for _ in 0..<4 {
            let round = round([entry], at: now, last: ["second": last])
            counts.append(round.decisions.count)
            guard let newest = round.decisions.last?.tick.dueAt else { break }
            last = newest.formatted(.iso8601)
            #expect(round.nextDue == instant(counts.count < 3 ? now : "2026-05-02T12:05:01Z"))
        }
        #expect(counts == [100, 100, 100, 0])
    }

    @Test("a paused entry passes over its ticks, and makes nothing up later")
    func paused() {
        var entry = halfMinute
        entry.misfire = .runAll
        entry.isPaused = true
        let last = ["half-minute": "2026-05-02T09:00:00Z"]
        let round = round([entry], at: "2026-05-02T10:00:10Z", last: last)
        #expect(text(round) == ["2026-05-02T10:00:00Z pass:paused +119"])
        #expect(round.nextDue == instant("2026-05-02T10:00:30Z"))
    }

    @Test("ticks on holidays are passed over, and the newest one before them is made up")
    func holidays() {
        var entry = daily
        entry.holidays = HolidayCalendar(
            name: "x",
            days: [CivilDay(text: "2026-05-02"), CivilDay(text: "2026-05-03")]
                .compactMap { day in day.map { $0.number...$0.number } })
        let last = ["daily": "2026-04-28T02:30:00Z"]
        #expect(
            text(round([entry], at: "2026-05-02T02:30:00Z", last: last)) == [
                "2026-05-01T02:30:00Z enqueue +2", "2026-05-02T02:30:00Z pass:holiday +0",
            ])
        #expect(
            text(round([entry], at: "2026-05-03T12:00:00Z", last: last)) == [
                "2026-05-01T02:30:00Z enqueue +2", "2026-05-03T02:30:00Z pass:holiday +1",
            ])
        #expect(
            text(
                round(
                    [entry], at: "2026-05-03T12:00:00Z", last: ["daily": "2026-05-01T02:30:00Z"]))
                == ["2026-05-03T02:30:00Z pass:holiday +1"])
    }

    @Test("no tick is due before the start, nor at the end")
    func bounds() {
        var entry = halfMinute
        entry.misfireAfter = .seconds(3600)
        entry.starts = instant("2026-05-02T10:00:00Z")
        entry.ends = instant("2026-05-02T10:01:00Z")
        let last = ["half-minute": "2026-05-02T09:00:00Z"]
        let before = round([entry], at: "2026-05-02T09:30:00Z", last: last)
        #expect(before.decisions.isEmpty)
        #expect(before.nextDue == instant("2026-05-02T10:00:00Z"))
        let after = round([entry], at: "2026-05-02T10:05:00Z", last: last)
        #expect(
            text(after) == [
                "2026-05-02T10:00:00Z enqueue +0", "2026-05-02T10:00:30Z enqueue +0",
            ])
        #expect(after.nextDue == nil)
    }

    @Test("jitter delays the firing and not the due time; lateness counts from the firing")
    func jitter() throws {
        var entry = ScheduleEntry(
            name: "spread", job: "a",
            schedule: .crontab(try CronExpression("0 * * * *"), zone: .gmt))
        entry.jitter = .seconds(1800)
        entry.misfire = .skip
        let due = instant("2026-05-02T10:00:00Z")
        let fires = entry.firesAt(due)
        #expect(fires > due && fires < due.addingTimeInterval(1800))
        let beat = Beat(entries: [entry])
        let newest = ["spread": instant("2026-05-02T09:00:00Z")]
        let early = beat.round(at: fires.addingTimeInterval(-0.002), newestTicks: newest)
        #expect(early.decisions.isEmpty)
        #expect(early.nextDue == fires)
        let inTime = beat.round(at: fires.addingTimeInterval(60), newestTicks: newest)
        #expect(text(inTime) == ["2026-05-02T10:00:00Z enqueue +0"])
        let late = beat.round(at: fires.addingTimeInterval(61), newestTicks: newest)
        #expect(text(late) == ["2026-05-02T10:00:00Z pass:misfire +0"])
    }

    @Test("jitter spreads ticks over its length, and never out of order")
    func spread() throws {
        var entry = ScheduleEntry(
            name: "spread", job: "a",
            schedule: .crontab(try CronExpression("* * * * *"), zone: .gmt))
        entry.jitter = .seconds(3600)
        var delays: [Double] = []
        var last = Date.distantPast
        for tick in entry.upcoming(after: instant("2026-05-02T10:00:00Z"), limit: 500) {
            #expect(tick.firesAt >= last)
            #expect(tick.firesAt >= tick.dueAt)
            #expect(tick.firesAt <= tick.dueAt.addingTimeInterval(60))
            last = tick.firesAt
            delays.append(tick.firesAt.timeIntervalSince(tick.dueAt))
        }
        entry.jitter = .seconds(60)
        let short = entry.upcoming(after: instant("2026-05-02T10:00:00Z"), limit: 500)
            .map { $0.firesAt.timeIntervalSince($0.dueAt) }
        let mean = short.reduce(0, +) / Double(short.count)
        #expect((25...35).contains(mean), "the mean delay is \(mean) s")
        #expect(short.contains { $0 < 6 } && short.contains { $0 > 54 })
        // The same on every machine: a scheduler of another release must agree.
        #expect(short.prefix(3).map { Int(($0 * 1000).rounded()) } == [7881, 24_820, 51_106])
    }

    @Test("an entry's first decision comes before any entry's second; the wake-up is the earliest")
    func several() {
        let round = round(
            [halfMinute, daily], at: "2026-05-02T02:31:05Z",
            last: ["daily": "2026-05-01T02:30:00Z", "half-minute": "2026-05-02T02:29:30Z"])
        #expect(
            round.decisions.map(\.tick.entry.name)
                == ["daily", "half-minute", "half-minute"])
        #expect(round.nextDue == instant("2026-05-02T02:31:30Z"))
        #expect(round.ahead.isEmpty)
    }

    @Test("an empty schedule never wakes")
    func empty() {
        let round = round([], at: "2026-05-02T02:30:45Z")
        #expect(round.decisions.isEmpty)
        #expect(round.nextDue == nil)
    }

    @Test("a last tick in the future silences an entry and is reported")
    func future() {
        let round = round(
            [daily, halfMinute], at: "2026-05-02T12:00:00Z",
            last: ["daily": "2027-05-02T02:30:00Z", "half-minute": "2026-05-02T12:00:30Z"])
        #expect(round.decisions.isEmpty)
        #expect(round.ahead == ["daily"])
        #expect(round.nextDue == instant("2026-05-02T12:01:00Z"))
    }
}
