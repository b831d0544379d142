/// One thing that is wrong with a schedule file, and where.
package struct ScheduleProblem: Error, Sendable, Equatable, CustomStringConvertible {
    package let file: String
    /// Counted from 1; 0 when the file could not be read at all.
    package let line: Int
    package let entry: String?
    package let key: String?
    package let message: String

    /// For an operator: file and line, entry and key, and what is wrong.
    ///
    /// `config/schedule.yaml:12: entry "sla-sweep", crontab: minute "60" has 60, …`
    package var description: String {
        let place = line > 0 ? "\(file):\(line): " : "\(file): "
        let subject = [entry.map { "entry \"\($0)\"" }, key].compactMap(\.self)
            .joined(separator: ", ")
        return place + (subject.isEmpty ? message : "\(subject): \(message)")
    }
}

/// Everything that is wrong with a schedule file, in the order of its lines.
package struct ScheduleProblems: Error, Sendable, Equatable, CustomStringConvertible {
    package let problems: [ScheduleProblem]

    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

/// Gathers problems while a file is read, so that all are reported at once.
struct ProblemList {
    let file: String
    private(set) var problems: [ScheduleProblem] = []

    init(file: String) { self.file = file }

    mutating func add(line: Int?, entry: String? = nil, key: String? = nil, _ message: String) {
        problems.append(
            ScheduleProblem(
                file: file, line: line ?? 0, entry: entry, key: key, message: message))
    }

    /// The problems as an error, or nil when there is none.
    var error: ScheduleProblems? {
        guard !problems.isEmpty else { return nil }
        // Stable for problems of one line, which sort(by:) alone does not promise.
        let ordered = problems.enumerated().sorted {
            ($0.element.line, $0.offset) < ($1.element.line, $1.offset)
        }
        return ScheduleProblems(problems: ordered.map(\.element))
    }
}
