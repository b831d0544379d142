import ArgumentParser
import Foundation
import JobModel
import Scheduler
import Store

/// `backhaul schedule pause`.
struct SchedulePause: AsyncParsableCommand {
    /// The longest reason, bytes.
    private static let maximumReasonBytes = 1000

    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Let ticks of an entry pass until it is resumed.",
        discussion: """
            Also for entries of the file. What passes is not made up for later.

            Examples:
              backhaul schedule pause bill-run --reason "prices are wrong"
            """)

    @Argument(help: "The entry's name.")
    var name: String

    @Option(help: "Why; shown to whoever wonders.")
    var reason: String

    @OptionGroup var change: ChangeFlags
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard !reason.isEmpty, reason.utf8.count <= Self.maximumReasonBytes else {
            throw ValidationError("--reason takes 1 to \(Self.maximumReasonBytes) bytes")
        }
    }

    func run() async throws {
        let record = try await shared.changingSchedule(scheduler) { scene, repository in
            _ = try scene.item(name)
            return try await repository.pause(
                name, because: reason, by: change.name, at: scene.now)
        }
        try ChangeReport(name, "paused", record).print(format)
    }
}

/// `backhaul schedule resume`.
struct ScheduleResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a paused entry fire again, from now on.",
        discussion: """
            Examples:
              backhaul schedule resume bill-run
            """)

    @Argument(help: "The entry's name.")
    var name: String

    @OptionGroup var change: ChangeFlags
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let edit = try await shared.changingSchedule(scheduler) { scene, repository in
            _ = try scene.item(name)
            return try await repository.resume(name, by: change.name, at: scene.now)
        }
        switch edit {
        case .done(let record): try ChangeReport(name, "resumed", record).print(format)
        case .removed: try ChangeReport(name, "resumed", nil).print(format)
        case .missing, .exists, .outdated:
            try ChangeReport(name, "was not paused", nil).print(format)
        }
    }
}

/// What was done to an entry, as it is printed.
struct ChangeReport: Encodable {
    let entry: String
    let done: String
    let version: Int64?

    init(_ entry: String, _ done: String, _ record: ScheduleRecord?) {
        self.entry = entry
        self.done = done
        version = record?.version
    }

    func print(_ format: OutputOptions) throws {
        switch format.output {
        case .json: try OutputOptions.printJSON(self)
        case .text: Swift.print("\(entry): \(done)".withoutControls)
        }
    }
}
