package import Foundation
package import JobModel
import Yams

/// The schedule: named entries, as read from a file such as `config/schedule.yaml`.
package struct ScheduleTable: Sendable, Equatable {
    /// The largest file read, bytes.
    package static let maximumFileBytes = 1024 * 1024
    /// The most entries; every round of a scheduler asks the ledger for all of them.
    package static let maximumEntries = 1000
    /// The shortest interval between two ticks of an entry.
    package static let shortestInterval = Duration.seconds(1)

    /// The entries, in the order of the file.
    package let entries: [ScheduleEntry]
    /// The zone of entries that name none.
    package let zone: TimeZone
    /// The holidays that entries may name.
    package let calendars: [String: HolidayCalendar]

    /// A table made in code; two entries with one name are a bug and trap.
    package init(
        entries: [ScheduleEntry], zone: TimeZone = .gmt,
        calendars: [String: HolidayCalendar] = [:]
    ) {
        precondition(
            Set(entries.map(\.name)).count == entries.count, "two schedule entries share a name")
        self.entries = entries
        self.zone = zone
        self.calendars = calendars
    }

    /// Reads a schedule file.
    ///
    /// - Parameters:
    ///   - file: the path, as it is to appear in messages.
    ///   - jobs: every job that may be scheduled and the queue its policy names, used by entries
    ///     that name none; nil when other workers serve jobs unknown to this program, and then
    ///     any name is accepted and the queue is `celery` unless given.
    /// - Throws: `ScheduleProblems` with every problem of the file.
    package init(file: String, jobs: [JobName: QueueName]? = nil) throws(ScheduleProblems) {
        var problems = ProblemList(file: file)
        do {
            let url = URL(fileURLWithPath: file)
            let handle = try FileHandle(forReadingFrom: url)
            defer { try? handle.close() }
            let data = try handle.read(upToCount: Self.maximumFileBytes + 1) ?? Data()
            if data.count > Self.maximumFileBytes {
                problems.add(line: nil, "is larger than \(Self.maximumFileBytes) bytes")
            } else if let text = String(validating: data, as: UTF8.self) {
                try self.init(yaml: text, file: file, jobs: jobs)
                return
            } else {
                problems.add(line: nil, "is not UTF-8 text")
            }
        } catch let found as ScheduleProblems {
            throw found
        } catch {
            problems.add(line: nil, "cannot be read: \(error.localizedDescription)")
        }
        throw ScheduleProblems(problems: problems.problems)
    }

    /// Reads a schedule from text; `file` is the name used in messages.
    ///
    /// - Throws: `ScheduleProblems` with every problem of the text.
    package init(
        yaml: String, file: String, jobs: [JobName: QueueName]? = nil
    ) throws(ScheduleProblems) {
        var reader = ScheduleReader(problems: ProblemList(file: file), jobs: jobs)
        let contents = try reader.contents(of: yaml)
        entries = contents.entries
        zone = contents.zone
        calendars = contents.calendars
    }
}
