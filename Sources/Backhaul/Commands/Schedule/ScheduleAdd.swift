import ArgumentParser
import Foundation
import JobModel
import Scheduler
import Store

/// `backhaul schedule add`.
struct ScheduleAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Store a new entry, for running schedulers and those to come.",
        discussion: """
            Settings are those of the schedule file, by flags, as key=value, or all together
            in a file: YAML or JSON, what stands below an entry's name. Its first tick is
            the first one due after it is seen.

            Examples:
              backhaul schedule add nightly --job reports.daily --crontab "0 3 * * *"
              backhaul schedule add poll --job backhaul.ping --every 30s overlap=skip
              backhaul schedule add nightly --file - --replace < nightly.yaml
            """)

    @Argument(help: "The entry's name.")
    var name: String

    @Argument(help: ArgumentHelp("Further settings.", valueName: "key=value"))
    var assignments: [String] = []

    @OptionGroup var definition: DefinitionFlags

    @Option(help: ArgumentHelp("The settings; - is standard input.", valueName: "path"))
    var file: String?

    @Flag(help: "Replace a stored entry of this name.")
    var replace = false

    @Flag(help: "Say what would be stored; store nothing.")
    var dryRun = false

    @OptionGroup var change: ChangeFlags
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard file == nil || definition.isEmpty else {
            throw ValidationError("with --file, the file says everything; leave the flags out")
        }
        for text in assignments { _ = try SettingAssignment.parse(text) }
    }

    func run() async throws {
        var wanted =
            try file.map(DefinitionFile.read) ?? EntryDefinition(try definition.settings())
        try SettingAssignment.apply(assignments, to: &wanted.settings)
        let final = wanted
        let label = file.map { $0 == "-" ? "standard input" : $0 } ?? "command line"
        if dryRun {
            let table = try ScheduleFile.read(
                shared.load(adding: scheduler.flagValues).settings.scheduler.file)
            do throws(ScheduleProblems) {
                _ = try ScheduleFile.reader(of: table, label: label)(name, final.text)
            } catch { throw ExitCode.configuration(because: error) }
            print("would store \(name): \(final.text)".withoutControls)
            return
        }
        let edit = try await shared.changingSchedule(scheduler) { scene, repository in
            try scene.check(final, as: name, from: label)
            if scene.book[name]?.isDeclared == true {
                throw CommandFailure(
                    "the schedule file declares \"\(name)\", and the file counts",
                    advice: "choose another name, or change the file")
            }
            guard scene.book.items.count < ScheduleTable.maximumEntries || scene.book[name] != nil
            else {
                throw CommandFailure(
                    "there are \(ScheduleTable.maximumEntries) entries, the most there may be",
                    advice: "remove some with `backhaul schedule rm`")
            }
            return try await repository.add(
                name, definition: final.text, replacing: replace, by: change.name, at: scene.now)
        }
        switch edit {
        case .done(let record): try ChangeReport(name, "stored", record).print(format)
        case .exists, .missing, .outdated, .removed:
            throw CommandFailure(
                "an entry \"\(name)\" is stored already",
                advice: "look at it with `backhaul schedule show`, then --replace or `set`")
        }
    }
}

/// `backhaul schedule set`.
struct ScheduleSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change settings of a stored entry.",
        discussion: """
            Keys are those of the schedule file; key= takes a setting away. Refused when
            somebody else changed the entry meanwhile. The last tick still counts.

            Examples:
              backhaul schedule set nightly crontab="30 3 * * *" timezone=Europe/Berlin
              backhaul schedule set nightly kwargs='{"draft": false}' expires_after=
            """)

    @Argument(help: "The entry's name.")
    var name: String

    @Argument(help: ArgumentHelp("What to change.", valueName: "key=value"))
    var assignments: [String]

    @Option(
        help: ArgumentHelp("Only if it is still of this version, as `show` tells.", valueName: "n"))
    var version: Int64?

    @OptionGroup var change: ChangeFlags
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        for text in assignments { _ = try SettingAssignment.parse(text) }
    }

    func run() async throws {
        let edit = try await shared.changingSchedule(scheduler) { scene, repository in
            let record = try scene.item(name).record
            guard let record, let old = record.definition else {
                throw CommandFailure(
                    "\"\(name)\" is declared in the schedule file", advice: "change the file")
            }
            var definition: EntryDefinition
            do throws(ScheduleProblems) {
                definition = try EntryDefinition(yaml: old, label: ScheduleFile.storedLabel)
            } catch { throw ExitCode.configuration(because: error) }
            try SettingAssignment.apply(assignments, to: &definition.settings)
            try scene.check(definition, as: name, from: "command line")
            return try await repository.change(
                name, definition: definition.text, from: version ?? record.version,
                by: change.name, at: scene.now)
        }
        switch edit {
        case .done(let record): try ChangeReport(name, "changed", record).print(format)
        case .outdated(let now):
            throw CommandFailure(
                "somebody changed \"\(name)\" meanwhile, to version \(now)",
                advice: "look at it with `backhaul schedule show`, then repeat")
        case .missing, .removed, .exists:
            throw CommandFailure(
                "\"\(name)\" was removed meanwhile", advice: "`backhaul schedule ls` shows all")
        }
    }
}
