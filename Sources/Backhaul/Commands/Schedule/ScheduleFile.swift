import ArgumentParser
import Foundation
import Scheduler

/// The schedule file, as every command of the schedule reads it.
enum ScheduleFile {
    /// What stands for the file's name where a definition does not come from the file.
    static let storedLabel = "stored definition"

    /// Reads it; problems are printed, and exit code 78 is thrown.
    static func read(_ file: String) throws -> ScheduleTable {
        do throws(ScheduleProblems) {
            return try ScheduleTable(file: file, jobs: BuiltInJobs.queues)
        } catch {
            throw ExitCode.configuration(because: error)
        }
    }

    /// Reads what is stored, by the rules of the file.
    static func reader(of table: ScheduleTable, label: String = storedLabel) -> ReadEntry {
        { name, definition throws(ScheduleProblems) in
            try ScheduleEntry.read(
                name: name, definition: definition, label: label, zone: table.zone,
                calendars: table.calendars, jobs: BuiltInJobs.queues)
        }
    }

    /// That there is no problem.
    static func praise(_ table: ScheduleTable, file: String) -> String {
        "\(file): \(table.entries.count) entries, no problem"
    }
}
