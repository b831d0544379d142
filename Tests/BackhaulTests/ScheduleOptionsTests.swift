import Broker
import Foundation
import JobModel
import Scheduler
import Store
import Testing

@testable import Backhaul

@Suite("What the commands of the schedule make of their flags and of two sources of ticks")
struct ScheduleOptionsTests {
    @Test(
        "key=value: JSON counts as what it is, all else as text, and nothing takes the setting away",
        arguments: [
            ("crontab=*/5 * * * *", "crontab", JSONValue.string("*/5 * * * *")),
            ("priority=3", "priority", .number(JSONNumber(3))),
            ("args=[1, \"a\"]", "args", .array([.number(JSONNumber(1)), "a"])),
            ("queue=\"007\"", "queue", "007"), ("every=30s", "every", "30s"),
            ("kwargs={\"a\": \"b=c\"}", "kwargs", .object(["a": "b=c"])),
            ("note=a=b", "note", "a=b"), ("expires_after=", "expires_after", JSONValue?.none),
        ])
    func assignment(text: String, key: String, value: JSONValue?) throws {
        let parsed = try SettingAssignment.parse(text)
        #expect(parsed.key == key)
        #expect(parsed.value == value)
    }

    @Test("what is not key=value is refused", arguments: ["every", "=30s", ""])
    func noAssignment(text: String) {
        #expect(throws: (any Error).self) { try SettingAssignment.parse(text) }
    }

    @Test("lengths of time are shown as the schedule file writes them")
    func lengths() throws {
        for text in ["30s", "1h30m", "7d", "250ms", "1d1h1m1s1ms"] {
            #expect(try Duration(text: text).inUnits == text)
        }
        #expect(Duration.zero.inUnits == "0s")
    }

    private let due = Date(timeIntervalSince1970: 1_800_000_000)

    private func row(
        _ offset: Double, job: String?, outcome: String = "enqueued", at: Double? = 1,
        end: String? = nil
    ) -> TickRow {
        TickRow(
            entry: "a", dueAt: due + offset, decidedAt: at.map { due + offset + $0 }, job: job,
            outcome: outcome, endedAt: end.map { _ in due + offset + 9 }, endedState: end)
    }

    @Test("log and history together show each tick once, with what the newer of the two knows")
    func merged() {
        let kept = [
            row(120, job: "3"), row(60, job: "2"), row(0, job: "1", end: "SUCCESS"),
        ]
        let logged = [
            // Its decision was moved to the history already; the end is only in the log.
            row(60, job: "2", at: nil, end: "FAILURE"),
            // Both were, and only the decision is still in the log.
            row(0, job: "1"), row(180, job: "4"), row(180, job: "5", outcome: "triggered"),
        ]
        let rows = TickView.merged(logged, kept, nil)
        #expect(rows.map(\.job).suffix(3) == ["3", "2", "1"])
        #expect(Set(rows.prefix(2).map(\.job)) == ["4", "5"])
        #expect(rows.suffix(3).map(\.endedState) == [nil, "FAILURE", "SUCCESS"])
        #expect(rows.allSatisfy { $0.decidedAt != nil })
        var filter = TickHistoryRepository.Filter()
        filter.since = due + 60
        filter.outcome = "FAILURE"
        #expect(TickView.merged(logged, kept, filter).map(\.job) == ["2"])
        filter = .init()
        filter.limit = 1
        #expect(TickView.merged(logged, kept, filter).count == 1)
        filter.entry = "b"
        #expect(TickView.merged(logged, kept, filter).isEmpty)
    }

    @Test("a simulation counts each entry, and says when it was cut")
    func simulation() {
        let start = Date(timeIntervalSince1970: 1_800_000_000)
        var hourly = ScheduleEntry(name: "hourly", job: "j", schedule: .every(.seconds(3600)))
        let often = ScheduleEntry(name: "often", job: "j", schedule: .every(.seconds(1)))
        hourly.isPaused = true
        let report = SimulationReport(
            of: [hourly], from: start, days: 2, isShort: false, note: nil)
        #expect(report.entries.map(\.ticks) == [48])
        #expect(report.entries.map(\.passed) == [48])
        #expect(report.ticks?.count == 48 && !report.incomplete)
        let cut = SimulationReport(
            of: [hourly, often], from: start, days: 2, isShort: true, note: nil)
        #expect(cut.incomplete && cut.ticks == nil)
        #expect(cut.entries.map(\.ticks).reduce(0, +) == Simulation.maximumTicks)
        #expect(cut.text.contains("give fewer --days"))
    }
}
