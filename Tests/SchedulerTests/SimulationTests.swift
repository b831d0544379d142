import Broker
import Foundation
import JobModel
import Scheduler
import Testing

@Suite("Ticks to come")
struct SimulationTests {
    private func entries() throws -> [ScheduleEntry] {
        try ScheduleTable(
            yaml: """
                timezone: Europe/Berlin
                holidays: {labour: [2026-05-01]}
                entries:
                  nightly: {job: a, crontab: 30 2 * * *, holidays: labour}
                  hourly: {job: b, every: 1h, jitter: 30m}
                  brief: {job: c, crontab: "0 * * * *", starts: 2026-05-01T10:00, ends: 2026-05-01T12:00}
                """, file: "s.yaml"
        ).entries
    }

    @Test("upcoming ticks tell when they fire, and which are passed over")
    func upcoming() throws {
        var nightly = try entries()[0]
        let start = instant("2026-04-29T12:00:00Z")
        let ticks = nightly.upcoming(after: start, limit: 3)
        #expect(
            ticks.map(\.dueAt) == [
                instant("2026-04-30T00:30:00Z"), instant("2026-05-01T00:30:00Z"),
                instant("2026-05-02T00:30:00Z"),
            ])
        #expect(ticks.map(\.pass) == [nil, .holiday, nil])
        #expect(ticks.map(\.firesAt) == ticks.map(\.dueAt))
        nightly.isPaused = true
        #expect(nightly.upcoming(after: start, limit: 2).map(\.pass) == [.paused, .paused])
        let hourly = try entries()[1].upcoming(after: start, limit: 20)
        #expect(hourly.contains { $0.firesAt > $0.dueAt })
        #expect(hourly.allSatisfy { $0.firesAt < $0.dueAt.addingTimeInterval(1800) })
        let brief = try entries()[2].upcoming(after: start, limit: 20)
        #expect(
            brief.map(\.dueAt) == [
                instant("2026-05-01T08:00:00Z"), instant("2026-05-01T09:00:00Z"),
            ])
    }

    @Test("a simulation has every tick of every entry, in the order in which they fire")
    func merged() throws {
        let start = instant("2026-04-29T12:00:00Z")
        let simulation = Simulation(of: try entries(), from: start, days: 3)
        #expect(!simulation.isCut)
        #expect(simulation.ticks.map(\.firesAt) == simulation.ticks.map(\.firesAt).sorted())
        let end = start.addingTimeInterval(3 * 86_400)
        for entry in try entries() {
            let expected = entry.upcoming(after: start, limit: 1000).filter { $0.dueAt <= end }
            #expect(simulation.ticks.filter { $0.entry == entry.name } == expected)
        }
        #expect(simulation.ticks.count == 72 + 3 + 2)
    }

    @Test("a simulation ends at its limit and says so")
    func limit() throws {
        let second = ScheduleEntry(name: "s", job: "a", schedule: .every(.seconds(1)))
        let start = instant("2026-04-29T12:00:00Z")
        let simulation = Simulation(of: [second], from: start, days: 30, limit: 500)
        #expect(simulation.isCut)
        #expect(simulation.ticks.count == 500)
        #expect(simulation.ticks.last?.dueAt == start.addingTimeInterval(500))
        #expect(Simulation(of: [], from: start, days: 30).ticks.isEmpty)
    }
}
