import JobModel
import Yams

/// A crontab written as Celery's five named fields instead of one line.
struct CronFieldMapping {
    struct Failure: Error {
        let line: Int?
        let problem: String
    }

    private let mapping: Node.Mapping

    init(_ mapping: Node.Mapping) { self.mapping = mapping }

    /// - Throws: `CronError` or `Failure`.
    func expression() throws -> CronExpression {
        let known = CronField.allCases.map(\.rawValue)
        var texts: [CronField: String] = [:]
        for (key, value) in mapping {
            let name = key.scalar?.string ?? ""
            guard let field = CronField(rawValue: name) else {
                let hint = NearestName.hint(for: name, among: known)
                throw Failure(
                    line: key.mark?.line, problem: "has the unknown field \"\(name)\"\(hint)")
            }
            guard let text = value.scalar?.string else {
                throw Failure(
                    line: key.mark?.line, problem: "field \(name) must be a single value")
            }
            texts[field] = text
        }
        return try CronExpression(
            minute: texts[.minute] ?? "*", hour: texts[.hour] ?? "*",
            dayOfMonth: texts[.dayOfMonth] ?? "*", monthOfYear: texts[.monthOfYear] ?? "*",
            dayOfWeek: texts[.dayOfWeek] ?? "*")
    }
}
