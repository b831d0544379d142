import ArgumentParser
import Broker
import Foundation
import JobModel
import Scheduler
import Store

/// `backhaul schedule rm`.
struct ScheduleRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove a stored entry.",
        discussion: """
            What it enqueued goes on; its history stays. One of the file is removed there.

            Examples:
              backhaul schedule rm nightly --dry-run
              backhaul schedule rm nightly --yes
            """)

    @Argument(help: "The entry's name.")
    var name: String

    @Flag(help: "Say what would be removed; remove nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var change: ChangeFlags
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard !(yes && dryRun) else {
            throw ValidationError("--yes and --dry-run contradict each other; give one.")
        }
    }

    func run() async throws {
        let done = try await shared.changingSchedule(scheduler) { scene, repository in
            let item = try scene.item(name)
            guard let definition = item.record?.definition else {
                throw item.isDeclared
                    ? CommandFailure(
                        "\"\(name)\" is declared in the schedule file",
                        advice: "remove it there, or pause it with `backhaul schedule pause`")
                    : CommandFailure(
                        "of \"\(name)\" only its pause is stored",
                        advice: "take that away with `backhaul schedule resume`")
            }
            if dryRun { return "would be removed: \(definition)" }
            let isAgreed =
                try yes
                || Confirmation().isGiven(
                    for: "remove the schedule entry \(name)", typing: "remove \(name)")
            guard isAgreed else {
                throw CommandFailure("nothing was removed", advice: "repeat, or give --yes")
            }
            let edit = try await repository.remove(
                name, keepingPause: item.isDeclared, by: change.name, at: scene.now)
            guard edit != .missing else { return "was removed already" }
            if !item.isDeclared { try await scene.broker.forget([name]) }
            return "removed"
        }
        try ChangeReport(name, done, nil).print(format)
    }
}
