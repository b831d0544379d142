import Scheduler

/// Whether the schedule file can be used.
enum ScheduleCheck {
    static func run(_ file: String) -> DoctorCheck {
        do throws(ScheduleProblems) {
            let table = try ScheduleTable(file: file)
            return .ok("schedule", "\(table.entries.count) entries in \(file)")
        } catch {
            return .fail(
                "schedule", error.problems.map(\.description).joined(separator: "; "),
                advice: "mend the file, or name another one with --schedule")
        }
    }
}
