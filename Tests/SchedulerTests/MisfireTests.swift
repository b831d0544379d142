import Foundation
import JobModel
import Scheduler
import Testing

/// What an entry's ticks became, in spans of one kind.
private struct Ledger {
    var enqueued: [Date] = []
    var passed: [Date] = []
    var missed = 0
    var rounds = 0

    /// Rounds without a pause between them, as after a scheduler has started, until nothing is due.
    init(_ entry: ScheduleEntry, newest: String, at now: String) {
        let now = instant(now)
        var newest = instant(newest)
        repeat {
            let round = Beat(entries: [entry]).round(at: now, newestTicks: [entry.name: newest])
            for decision in round.decisions {
                missed += decision.missed
                if decision.action == .enqueue {
                    enqueued.append(decision.tick.dueAt)
                } else {
                    passed.append(decision.tick.dueAt)
                }
                newest = decision.tick.dueAt
            }
            rounds += 1
            guard round.nextDue.map({ $0 <= now }) == true else { return }
        } while rounds < 100
    }
}

@Suite("A scheduler that was down for an hour")
struct MisfireTests {
    private func entry(
        _ schedule: Schedule, _ policy: MisfirePolicy, limit: Int = 100
    ) -> ScheduleEntry {
        var entry = ScheduleEntry(name: "a", job: "a", schedule: schedule)
        entry.misfire = policy
        entry.misfireLimit = limit
        return entry
    }

    private func times(from first: String, through last: String, every step: Double) -> [Date] {
        Array(stride(from: instant(first), through: instant(last), by: step))
    }

    private let down = "2026-05-02T12:00:00Z"

    @Test("every second: what is late goes by the policy, the last minute runs in any case")
    func seconds() {
        let second = Schedule.every(.seconds(1))
        let now = "2026-05-02T13:00:00Z"
        let onTime = times(from: "2026-05-02T12:59:00Z", through: now, every: 1)
        for policy in [MisfirePolicy.skip, .runOnce] {
            let found = Ledger(entry(second, policy), newest: down, at: now)
            #expect(found.enqueued == onTime, "\(policy)")
            #expect(found.missed == 3539)
            #expect(found.passed.isEmpty)
        }
        let all = Ledger(entry(second, .runAll), newest: down, at: now)
        #expect(
            all.enqueued == times(from: "2026-05-02T12:57:20Z", through: now, every: 1))
        #expect(all.missed == 3600 - 161)
        #expect(all.rounds == 2)
        let more = Ledger(entry(second, .runAll, limit: 1000), newest: down, at: now)
        #expect(
            more.enqueued == times(from: "2026-05-02T12:42:20Z", through: now, every: 1))
        #expect(more.missed == 3600 - 1061)
        #expect(more.rounds == 11)
    }

    @Test("every minute, up again between two: the newest is late or it is not")
    func minutes() throws {
        let minute = Schedule.crontab(try CronExpression("* * * * *"), zone: .gmt)
        // On time: the tick of 13:00 is 30 s old.
        let now = "2026-05-02T13:00:30Z"
        for policy in [MisfirePolicy.skip, .runOnce] {
            let found = Ledger(entry(minute, policy), newest: down, at: now)
            #expect(found.enqueued == [instant("2026-05-02T13:00:00Z")], "\(policy)")
            #expect(found.missed == 59)
        }
        let all = Ledger(entry(minute, .runAll), newest: down, at: now)
        #expect(
            all.enqueued
                == times(from: "2026-05-02T12:01:00Z", through: "2026-05-02T13:00:00Z", every: 60))
        #expect(all.missed == 0)
        let ten = Ledger(entry(minute, .runAll, limit: 10), newest: down, at: now)
        #expect(
            ten.enqueued
                == times(from: "2026-05-02T12:50:00Z", through: "2026-05-02T13:00:00Z", every: 60))
        #expect(ten.missed == 49)
    }

    @Test("every quarter of an hour, up again five minutes after a tick")
    func quarters() throws {
        let quarter = Schedule.crontab(try CronExpression("*/15 * * * *"), zone: .gmt)
        let now = "2026-05-02T13:05:00Z"
        let newest = instant("2026-05-02T13:00:00Z")
        let skip = Ledger(entry(quarter, .skip), newest: down, at: now)
        #expect(skip.enqueued.isEmpty)
        #expect(skip.passed == [newest])
        #expect(skip.missed == 3)
        let once = Ledger(entry(quarter, .runOnce), newest: down, at: now)
        #expect(once.enqueued == [newest])
        #expect(once.missed == 3)
        let all = Ledger(entry(quarter, .runAll), newest: down, at: now)
        #expect(
            all.enqueued
                == times(from: "2026-05-02T12:15:00Z", through: "2026-05-02T13:00:00Z", every: 900))
        #expect(all.missed == 0)
    }

    @Test("every hour: the one tick of the outage")
    func hours() throws {
        let hour = Schedule.crontab(try CronExpression("30 * * * *"), zone: .gmt)
        let now = "2026-05-02T13:00:00Z"
        let newest = instant("2026-05-02T12:30:00Z")
        let skip = Ledger(entry(hour, .skip), newest: down, at: now)
        #expect(skip.enqueued.isEmpty)
        #expect(skip.passed == [newest])
        for policy in [MisfirePolicy.runOnce, .runAll] {
            let found = Ledger(entry(hour, policy), newest: down, at: now)
            #expect(found.enqueued == [newest], "\(policy)")
            #expect(found.missed == 0)
        }
    }

    @Test("ten years of seconds are accounted for, and cost no more than an hour")
    func tenYears() throws {
        let now = "2036-05-02T12:00:00Z"
        let span = Int(instant(now).timeIntervalSince(instant(down)))
        for schedule in [
            Schedule.every(.seconds(1)), .crontab(try CronExpression("* * * * *"), zone: .gmt),
        ] {
            let ticks = schedule == .every(.seconds(1)) ? span : span / 60
            for policy in MisfirePolicy.allCases {
                let start = ContinuousClock.now
                let found = Ledger(entry(schedule, policy), newest: down, at: now)
                #expect(found.enqueued.count + found.passed.count + found.missed == ticks)
                #expect(found.enqueued.count < 200)
                #expect(ContinuousClock.now - start < .seconds(5), "\(policy)")
            }
        }
    }
}
