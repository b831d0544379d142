import ArgumentParser
import Broker
import Foundation
import JobModel
import Scheduler
import Store

/// `backhaul schedule history`.
struct ScheduleHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "List ticks that were: when they were due, how late, and what became of them.",
        discussion: """
            From the history in PostgreSQL, and the newest from Redis. An outcome is
            enqueued, waiting, overlapped, misfire, holiday, paused or triggered; or the
            state in which the job ended, such as SUCCESS or FAILURE.

            Examples:
              backhaul schedule history
              backhaul schedule history bill-run --since 7d --outcome FAILURE
            """)

    @Argument(help: "The entry's name, also one that is gone; all without it.")
    var name: String?

    @Option(
        help: ArgumentHelp(
            "Only ticks due since then: 2h, 7d, or 2026-11-24T08:00:00Z.", valueName: "time"))
    var since: String?

    @Option(help: "Only this outcome, or this end of the job.")
    var outcome: String?

    @Option(help: "Show this many at most, 1 to 10000.")
    var limit = 50

    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 10000, not \(limit)")
        }
        _ = try since.map {
            try GraveFilters.time($0, flag: "--since", now: Date(timeIntervalSince1970: 0))
        }
    }

    func run() async throws {
        let (ticks, note) = try await shared.withSchedule(scheduler) { scene in
            var filter = TickHistoryRepository.Filter()
            filter.entry = name
            filter.since = try since.map {
                try GraveFilters.time($0, flag: "--since", now: scene.now)
            }
            filter.outcome = outcome
            filter.limit = limit
            let note =
                scene.history == nil ? "no database is set: only what Redis still has" : scene.note
            return (try await scene.ticks.newest(filter).map(TickLineReport.init), note)
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(ticks)
        case .text:
            let table = TextTable(rows: [TickLineReport.heading] + ticks.map(\.row))
            print(ticks.isEmpty ? "no ticks" : table.text.withoutControls)
            if let note { print(note) }
        }
    }
}
