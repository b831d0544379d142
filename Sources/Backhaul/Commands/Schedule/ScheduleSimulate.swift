import ArgumentParser
import Broker
import Foundation
import JobModel
import Scheduler

/// `backhaul schedule simulate`.
struct ScheduleSimulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "List every tick of the days to come, and how many each entry has.",
        discussion: """
            Enqueues nothing. Stops after 100,000 ticks, and says so.

            Examples:
              backhaul schedule simulate --days 30
              backhaul schedule simulate --days 7 --entry sla-sweep --summary
              backhaul schedule simulate --days 30 -o json
            """)

    @Option(help: "This many days from now, 1 to 3660.")
    var days = 30

    @Option(help: "Only this entry; may be repeated.")
    var entry: [String] = []

    @Flag(help: "Only how many each entry has.")
    var summary = false

    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...3660).contains(days) else {
            throw ValidationError("--days must be 1 to 3660, not \(days)")
        }
    }

    func run() async throws {
        let report = try await shared.withSchedule(scheduler) { scene in
            SimulationReport(
                of: try scene.entries(entry), from: scene.now, days: days, isShort: summary,
                note: scene.note)
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(report)
        case .text: print(report.text.withoutControls)
        }
    }
}

/// The ticks of some days, as they are printed.
struct SimulationReport: Encodable {
    struct Entry: Encodable {
        let name: String
        let ticks: Int
        /// Of those, how many will be passed over.
        let passed: Int
        let first: Date?
        let last: Date?
    }

    let from: Date
    let until: Date
    let entries: [Entry]
    /// Null when only the summary was asked for.
    let ticks: [PlannedTickReport]?
    /// Whether there are more than were listed; then the counts are of the listed ones.
    let incomplete: Bool
    let note: String?

    init(of entries: [ScheduleEntry], from start: Date, days: Int, isShort: Bool, note: String?) {
        from = start
        until = start.addingTimeInterval(Double(days) * 86_400)
        let simulation = Simulation(of: entries, from: start, days: days)
        let ticks = simulation.ticks
        let grouped = Dictionary(grouping: ticks, by: \.entry)
        self.entries = entries.map { entry in
            let own = grouped[entry.name] ?? []
            return Entry(
                name: entry.name, ticks: own.count, passed: own.count { $0.pass != nil },
                first: own.first?.firesAt, last: own.last?.firesAt)
        }
        self.ticks = isShort ? nil : ticks.map(PlannedTickReport.init)
        incomplete = simulation.isCut
        self.note = note
    }

    var text: String {
        var parts: [String] = []
        if let ticks, !ticks.isEmpty {
            parts.append(TextTable(rows: [PlannedTickReport.heading] + ticks.map(\.row)).text)
        }
        var table = TextTable(rows: [["ENTRY", "TICKS", "PASSED OVER", "FIRST", "LAST"]])
        for entry in entries {
            table.rows.append([
                entry.name, "\(entry.ticks)", "\(entry.passed)",
                entry.first?.formatted(.iso8601) ?? "-", entry.last?.formatted(.iso8601) ?? "-",
            ])
        }
        parts.append(table.text)
        parts.append("from \(from.formatted(.iso8601)) until \(until.formatted(.iso8601))")
        if incomplete {
            parts.append(
                "stopped after \(Simulation.maximumTicks) ticks: "
                    + "give fewer --days, or --entry")
        }
        if let note { parts.append(note) }
        return parts.joined(separator: "\n\n")
    }
}
