import ArgumentParser
import Broker
import Foundation
import JobModel
import Scheduler

/// `backhaul schedule run`.
struct ScheduleRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Enqueue an entry's job now, besides its ticks; prints the job's id.",
        discussion: """
            Its arguments are those of the newest tick that is due. Its schedule goes on as
            if nothing had happened; a paused entry stays paused, and overlap is not looked
            at.

            Examples:
              backhaul schedule run sla-sweep
            """)

    @Argument(help: "The entry's name.")
    var name: String

    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    /// What is printed as JSON.
    private struct Report: Encodable {
        let entry: String
        let job: String
        let dueAt: Date

        private enum CodingKeys: String, CodingKey {
            case entry
            case job
            case dueAt = "due_at"
        }
    }

    func run() async throws {
        let report = try await shared.withSchedule(scheduler) { scene in
            let entry = try scene.entry(name)
            let tick = entry.currentTick(at: scene.now)
            let message = tick.message(id: SchedulerService.randomID(), at: scene.now)
            try await scene.broker.trigger(message, of: name, at: scene.now)
            return Report(entry: name, job: message.id.text, dueAt: tick.dueAt)
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(report)
        case .text: print(report.job)
        }
    }
}
