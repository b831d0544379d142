import ArgumentParser
import Scheduler

/// `backhaul schedule`: what recurs, and when.
struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "Look at what recurs, pause it, run it now, and change it while it runs.",
        discussion: """
            Entries come from the schedule file, and from `add`, which keeps them in
            PostgreSQL. Running schedulers see a change within scheduler.refresh_seconds.

            Examples:
              backhaul schedule ls
              backhaul schedule pause bill-run --reason "prices are wrong"
              backhaul schedule add nightly --job reports.daily --crontab "0 3 * * *"
              backhaul schedule simulate --days 30

            Exit codes: 0 done; 1 not, and the last line says what to do; 64 wrong usage;
            78 wrong settings, or a schedule that cannot be read.
            """,
        subcommands: [
            ScheduleList.self, ScheduleShow.self, ScheduleNext.self, ScheduleRun.self,
            SchedulePause.self, ScheduleResume.self, ScheduleAdd.self, ScheduleSet.self,
            ScheduleRemove.self, ScheduleSimulate.self, ScheduleHistory.self,
            ScheduleCheckCommand.self,
        ])
}

/// `backhaul schedule check`.
struct ScheduleCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read the schedule file and report every problem: 0 when there is none, else 78.",
        discussion: """
            Asks no server, so that it can run before a deployment.

            Examples:
              backhaul schedule check
              backhaul schedule check --file config/schedule.yaml -o json
            """)

    @Option(help: ArgumentHelp("The file; else that of the settings.", valueName: "path"))
    var file: String?

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    /// What is printed as JSON.
    private struct Report: Encodable {
        let file: String
        let entries: Int
        let problems: [String]
    }

    func run() async throws {
        let file = try file ?? shared.load().settings.scheduler.file
        guard format.output == .json else {
            print(ScheduleFile.praise(try ScheduleFile.read(file), file: file))
            return
        }
        let report = Self.report(on: file)
        try OutputOptions.printJSON(report)
        if !report.problems.isEmpty { throw ExitCode(SettingsError.exitCode) }
    }

    private static func report(on file: String) -> Report {
        do throws(ScheduleProblems) {
            let table = try ScheduleTable(file: file, jobs: BuiltInJobs.queues)
            return Report(file: file, entries: table.entries.count, problems: [])
        } catch {
            return Report(
                file: file, entries: 0, problems: error.problems.map(\.description))
        }
    }
}
