import Broker
import Foundation
import JobModel
import Logging
import Scheduler
import TestSupport
import Testing

@Suite("SchedulerService")
struct SchedulerServiceTests {
    private let ledger = InMemoryTickLedger()
    private let time = VirtualTime("2026-05-02T12:00:10Z")
    private let log = LogRecorder()
    private let down = BrokerError(code: .unavailable, message: "connection refused")

    private func entry(
        _ name: String, every seconds: Int, misfire: MisfirePolicy = .runOnce
    ) -> ScheduleEntry {
        var entry = ScheduleEntry(
            name: name, job: JobName("job.\(name)"), schedule: .every(.seconds(seconds)))
        entry.misfire = misfire
        return entry
    }

    private func service(
        _ entries: [ScheduleEntry], siblings: [@Sendable () async throws -> Void] = []
    ) -> SchedulerService {
        SchedulerService(
            source: ScheduleTable(entries: entries), ledger: ledger, time: time,
            clock: VirtualClock(time: time), logger: log.logger,
            siblings: siblings)
    }

    /// Runs services side by side until the virtual time reaches `end`, then cancels them.
    private func run(_ services: [SchedulerService], until end: String) async throws {
        time.run(until: end, participants: services.count)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in services { group.addTask { try await service.run() } }
            try await eventually(within: .seconds(30), "the end of the virtual time") {
                time.isAtRest
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test("a tick becomes a message with the entry's settings and says when it was due")
    func message() async throws {
        var entry = entry("report", every: 60)
        entry.queue = "reports"
        entry.args = [.string("a")]
        entry.kwargs["period"] = .string("current")
        entry.priority = Priority(6)
        entry.expiresAfter = .seconds(240)
        let service = service([entry])
        #expect(try await service.runOnce().enqueued.isEmpty)
        time.set("2026-05-02T12:01:02Z")
        let report = try await service.runOnce()
        #expect(report.enqueued.map(\.dueAt) == [instant("2026-05-02T12:01:00Z")])
        #expect(report.nextDue == instant("2026-05-02T12:02:00Z"))

        let message = try #require(ledger.records.first?.message)
        #expect(message.name == "job.report")
        #expect(message.queue == "reports")
        #expect(message.body.args == [.string("a")])
        #expect(message.body.kwargs == entry.kwargs)
        #expect(message.priority == Priority(6))
        #expect(message.eta == nil)
        #expect(message.expires == instant("2026-05-02T12:05:02Z"))
        #expect(message.headers["celery_beat_task"] == .bool(true))
        #expect(
            message.headers["backhaul_tick_due_at"] == .string("2026-05-02T12:01:00.000+00:00"))
        #expect(UUID(uuidString: message.id.text) != nil)
        #expect(message.id.text == message.id.text.lowercased())

        let lines = log.lines("tick enqueued")
        #expect(lines.count == 1)
        #expect(lines.first?.level == .info)
        #expect(lines.first?.metadata["schedule.name"] == "report")
        #expect(lines.first?.metadata["tick.due_at"] == "2026-05-02T12:01:00Z")
    }

    @Test("a new entry waits for its first tick, counted from the scheduler that met it first")
    func registration() async throws {
        let first = service([entry("a", every: 60)])
        _ = try await first.runOnce()
        #expect(ledger.records.isEmpty)
        // A second scheduler starts after the tick fell due: it knows the entry is not new.
        time.set("2026-05-02T12:01:30Z")
        let second = service([entry("a", every: 60)])
        #expect(
            try await second.runOnce().enqueued.map(\.dueAt) == [
                instant("2026-05-02T12:01:00Z")
            ])
    }

    @Test("three schedulers on one ledger enqueue every tick exactly once")
    func sideBySide() async throws {
        let entries = [
            entry("ten", every: 10), entry("minute", every: 60),
            ScheduleEntry(
                name: "cron", job: "job.cron",
                schedule: .crontab(try CronExpression("*/5 * * * *"), zone: .gmt)),
        ]
        let end = "2026-05-02T18:00:40Z"
        let services = (0..<3).map { _ in service(entries) }
        try await run(services, until: end)

        let records = ledger.records
        for (name, step) in [("ten", 10.0), ("minute", 60), ("cron", 300)] {
            let dues = records.filter { $0.entry == name }.map(\.dueAt)
            // An entry that is new at 12:00:10 has its first tick after that.
            let ticks = stride(
                from: instant("2026-05-02T12:00:00Z"), to: instant(end), by: step)
            #expect(dues == ticks.filter { $0 > instant("2026-05-02T12:00:10Z") }, "entry \(name)")
        }
        #expect(Set(records.map(\.message.id)).count == records.count)
        #expect(log.lines("tick enqueued").count == records.count)
        #expect(ledger.refusals > 0, "the schedulers never met: the test proves nothing")
    }

    @Test("an outage is logged once with its end, and each entry goes on by its policy")
    func outage() async throws {
        let end = "2026-05-02T13:00:00Z"
        let outage = instant("2026-05-02T12:09:30Z")..<instant("2026-05-02T12:35:00Z")
        ledger.set(fault: .during { [time, down] in outage.contains(time.now) ? down : nil })
        let entries = [entry("keep", every: 600), entry("drop", every: 600, misfire: .skip)]
        try await run([service(entries)], until: end)

        let lost = log.lines("schedule ledger cannot be reached")
        #expect(lost.count == 1)
        #expect(lost.first?.level == .error)
        #expect(lost.first?.metadata["error.code"] == "unavailable")
        let back = log.lines("schedule ledger is back")
        #expect(back.count == 1)
        #expect(back.first?.metadata["count"].flatMap { Int("\($0)") } ?? 0 > 1)

        let dues = Dictionary(grouping: ledger.records, by: \.entry)
            .mapValues { $0.map(\.dueAt) }
        let after = [instant("2026-05-02T12:40:00Z"), instant("2026-05-02T12:50:00Z")]
        #expect(dues["keep"] == [instant("2026-05-02T12:30:00Z")] + after)
        #expect(dues["drop"] == after)
    }

    @Test("one round after an outage catches up by policy")
    func outageByRounds() async throws {
        let service = service([
            entry("keep", every: 600), entry("drop", every: 600, misfire: .skip),
        ])
        _ = try await service.runOnce()
        ledger.set(fault: .during { [down] in down })
        time.set("2026-05-02T12:31:30Z")
        await #expect(throws: BrokerError.self) { try await service.runOnce() }
        ledger.set(fault: nil)
        #expect(
            try await service.runOnce().enqueued.map(\.entry.name) == ["keep"])
        #expect(ledger.records.map(\.dueAt) == [instant("2026-05-02T12:30:00Z")])
        time.set("2026-05-02T12:40:30Z")
        #expect(
            try await service.runOnce().enqueued.map(\.entry.name) == ["drop", "keep"])
    }

    @Test("a tick whose answer was lost is not enqueued again")
    func lostReply() async throws {
        let service = service([entry("a", every: 60)])
        _ = try await service.runOnce()
        time.set("2026-05-02T12:01:00Z")
        ledger.set(fault: .nextReplyLost)
        await #expect(throws: BrokerError.self) { try await service.runOnce() }
        #expect(try await service.runOnce().enqueued.isEmpty)
        #expect(ledger.records.count == 1)
    }

    @Test("an entry the broker refuses does not hold up the others, and is tried again")
    func refusedEntry() async throws {
        let service = service([entry("bad", every: 60), entry("good", every: 60)])
        _ = try await service.runOnce()
        ledger.set(fault: .entry("bad", BrokerError(code: .limit, message: "too large")))
        time.set("2026-05-02T12:01:00Z")
        let report = try await service.runOnce()
        #expect(report.enqueued.map(\.entry.name) == ["good"])
        #expect(report.refused.keys.sorted() == ["bad"])
        ledger.set(fault: nil)
        #expect(try await service.runOnce().enqueued.map(\.entry.name) == ["bad"])
    }

    @Test("a refused entry is logged once while it stays refused")
    func refusedLog() async throws {
        ledger.set(fault: .entry("bad", BrokerError(code: .limit, message: "too large")))
        let end = "2026-05-02T12:30:00Z"
        try await run([service([entry("bad", every: 60)])], until: end)
        let lines = log.lines("tick refused")
        #expect(lines.count == 1)
        #expect(lines.first?.metadata["error.code"] == "limit")
        #expect(ledger.calls > 20, "it was not tried again")
    }

    @Test("siblings run beside the loop, and one that fails stops the service")
    func siblings() async throws {
        struct Broken: Error {}
        let service = service([], siblings: [{ throw Broken() }])
        await #expect(throws: Broken.self) { try await service.run() }
    }
}
