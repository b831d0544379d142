import ArgumentParser
import Broker
import Foundation
import JobModel
import Scheduler

/// `backhaul schedule next`.
struct ScheduleNext: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "next",
        abstract: "Say when entries fire next.",
        discussion: """
            Examples:
              backhaul schedule next
              backhaul schedule next sla-sweep --count 10
            """)

    @Argument(help: "The entry's name; all without it.")
    var name: String?

    @Option(help: "This many ticks, 1 to 1000.")
    var count = 5

    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...1000).contains(count) else {
            throw ValidationError("--count must be 1 to 1000, not \(count)")
        }
    }

    func run() async throws {
        let (report, note) = try await shared.withSchedule(scheduler) { scene in
            let ticks = try scene.entries(name.map { [$0] } ?? []).flatMap { entry in
                entry.upcoming(after: scene.now, limit: count)
            }
            let first = ticks.sorted {
                ($0.firesAt, $0.dueAt, $0.entry) < ($1.firesAt, $1.dueAt, $1.entry)
            }.prefix(count)
            return (first.map(PlannedTickReport.init), scene.note)
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(report)
        case .text:
            let table = TextTable(rows: [PlannedTickReport.heading] + report.map(\.row))
            print(report.isEmpty ? "nothing is due any more" : table.text.withoutControls)
            if let note { print(note) }
        }
    }
}

/// A tick to come, as it is printed.
struct PlannedTickReport: Encodable {
    let entry: String
    let dueAt: Date
    let firesAt: Date
    /// Why it will be passed over.
    let pass: String?

    private enum CodingKeys: String, CodingKey {
        case entry
        case dueAt = "due_at"
        case firesAt = "fires_at"
        case pass
    }

    static let heading = ["FIRES", "ENTRY", "DUE", "NOTE"]

    init(_ tick: UpcomingTick) {
        entry = tick.entry
        dueAt = tick.dueAt
        firesAt = tick.firesAt
        pass = tick.pass?.rawValue
    }

    var row: [String] {
        [firesAt.formatted(.iso8601), entry, dueAt.formatted(.iso8601), pass ?? ""]
    }
}
