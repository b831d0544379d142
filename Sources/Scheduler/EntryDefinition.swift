package import Foundation
package import JobModel
import Yams

/// The settings of one entry as they are stored: a JSON object under the keys of the schedule file.
package struct EntryDefinition: Sendable, Equatable {
    package var settings: JSONObject

    package init(_ settings: JSONObject = JSONObject()) { self.settings = settings }

    /// Reads YAML, of which JSON is a part; `label` is what stands for the file's name in messages.
    package init(yaml: String, label: String) throws(ScheduleProblems) {
        var problems = ProblemList(file: label)
        do {
            if let mapping = try Yams.compose(yaml: yaml)?.mapping {
                settings = try YAMLValue.object(mapping)
                return
            }
            problems.add(line: nil, "must be a mapping of settings, such as job: and every:")
        } catch let failure as YAMLValue.Failure {
            problems.add(line: failure.line, failure.problem)
        } catch {
            problems.add(line: nil, "is not valid YAML")
        }
        throw ScheduleProblems(problems: problems.problems)
    }

    /// One line of JSON.
    package var text: String {
        String(decoding: JSONValue.object(settings).encoded(.python), as: UTF8.self)
    }
}

extension ScheduleEntry {
    /// Reads an entry from its settings alone.
    ///
    /// `label` is what stands for the file's name in messages, `zone` the zone of a crontab that names
    /// none; of `jobs`, see ``ScheduleTable/init(file:jobs:)``.
    ///
    /// - Throws: `ScheduleProblems` with everything that is wrong.
    package static func read(
        name: String, definition: String, label: String, zone: TimeZone = .gmt,
        jobs: [JobName: QueueName]?
    ) throws(ScheduleProblems) -> ScheduleEntry {
        let key = String(decoding: JSONValue.string(name).encoded(), as: UTF8.self)
        let body = definition.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
        let table = try ScheduleTable(
            yaml: "timezone: \(zone.identifier)\nentries:\n  \(key):\n\(body)\n", file: label,
            jobs: jobs)
        guard table.entries.count == 1, let entry = table.entries.first else {
            var problems = ProblemList(file: label)
            problems.add(line: nil, entry: name, "must be the settings of one entry")
            throw ScheduleProblems(problems: problems.problems)
        }
        return entry
    }
}
