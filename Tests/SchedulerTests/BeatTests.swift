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
        Beat(entries: entries, grace: .seconds(60))
            .round(at: instant(now), lastTicks: last.mapValues(instant))
    }

    @Test("a new entry does not fire for the past")
    func newEntry() {
        let round = round([daily], at: "2026-05-02T12:00:00Z")
        #expect(round.due.isEmpty)
        #expect(round.nextDue == instant("2026-05-03T02:30:00Z"))
    }

    @Test("a tick is due at its very second and not before")
    func exact() {
        let last = ["daily": "2026-05-01T02:30:00Z"]
        #expect(round([daily], at: "2026-05-02T02:29:59Z", last: last).due.isEmpty)
        let now = round([daily], at: "2026-05-02T02:30:00Z", last: last)
        #expect(now.due == [Tick(entry: daily, dueAt: instant("2026-05-02T02:30:00Z"))])
        #expect(now.nextDue == instant("2026-05-03T02:30:00Z"))
    }

    @Test("a recorded tick is not due again")
    func recorded() {
        let last = ["daily": "2026-05-02T02:30:00Z"]
        #expect(round([daily], at: "2026-05-02T02:30:00Z", last: last).due.isEmpty)
        #expect(round([daily], at: "2026-05-02T23:00:00Z", last: last).due.isEmpty)
    }

    @Test("run_once makes up for a week of missed ticks with the newest one")
    func runOnce() {
        let round = round(
            [daily], at: "2026-05-09T12:00:00Z", last: ["daily": "2026-05-01T02:30:00Z"])
        #expect(round.due == [Tick(entry: daily, dueAt: instant("2026-05-09T02:30:00Z"))])
    }

    @Test("skip drops what is later than the grace, and keeps what is not")
    func skip() {
        var entry = daily
        entry.misfire = .skip
        let last = ["daily": "2026-05-01T02:30:00Z"]
        #expect(round([entry], at: "2026-05-02T02:31:00Z", last: last).due.count == 1)
        let late = round([entry], at: "2026-05-02T02:31:01Z", last: last)
        #expect(late.due.isEmpty)
        #expect(late.nextDue == instant("2026-05-03T02:30:00Z"))
        // The day after, on time, it fires although the ledger still knows only the first.
        #expect(round([entry], at: "2026-05-03T02:30:00Z", last: last).due.count == 1)
    }

    @Test("skip of a short interval goes on with the newest tick alone")
    func skipInterval() {
        var entry = halfMinute
        entry.misfire = .skip
        let round = round(
            [entry], at: "2026-05-02T10:00:10Z", last: ["half-minute": "2026-05-01T00:00:00Z"])
        #expect(round.due == [Tick(entry: entry, dueAt: instant("2026-05-02T10:00:00Z"))])
    }

    @Test("ticks of several entries come oldest first, and the wake-up is the earliest next one")
    func several() {
        let round = round(
            [halfMinute, daily], at: "2026-05-02T02:30:45Z",
            last: ["daily": "2026-05-01T02:30:00Z", "half-minute": "2026-05-02T02:30:00Z"])
        #expect(round.due.map(\.entry.name) == ["daily", "half-minute"])
        #expect(round.nextDue == instant("2026-05-02T02:31:00Z"))
        #expect(round.ahead.isEmpty)
    }

    @Test("an empty schedule never wakes")
    func empty() {
        let round = round([], at: "2026-05-02T02:30:45Z")
        #expect(round.due.isEmpty)
        #expect(round.nextDue == nil)
    }

    @Test("a last tick in the future silences an entry and is reported")
    func future() {
        let round = round(
            [daily, halfMinute], at: "2026-05-02T12:00:00Z",
            last: ["daily": "2027-05-02T02:30:00Z", "half-minute": "2026-05-02T12:00:30Z"])
        #expect(round.due.isEmpty)
        #expect(round.ahead == ["daily"])
        #expect(round.nextDue == instant("2026-05-02T12:01:00Z"))
    }
}
