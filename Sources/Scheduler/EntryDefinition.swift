import Foundation
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
