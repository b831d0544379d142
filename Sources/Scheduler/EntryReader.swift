import Foundation
import JobModel
import Yams

/// Reads the settings of one schedule entry.
struct EntryReader {
    private static let keys = [
        "job", "crontab", "every", "timezone", "queue", "args", "kwargs", "priority",
        "expires_after", "misfire",
    ]

    let name: String
    let line: Int?
    let settings: Node.Mapping
    /// The file's time zone, for an entry that names none.
    let zone: TimeZone
    let jobs: [JobName: QueueName]?
    var problems: ProblemList

    /// The entry; what it lacks or gets wrong is added to `problems`, and then it is not used.
    mutating func entry() -> ScheduleEntry? {
        refuseUnknownKeys()
        let job = job()
        let schedule = schedule()
        // The options are read in any case, so that everything is reported at once.
        var entry = ScheduleEntry(
            name: name, job: job ?? "", schedule: schedule ?? .every(ScheduleTable.shortestInterval)
        )
        readOptions(into: &entry)
        return job == nil || schedule == nil ? nil : entry
    }

    private mutating func readOptions(into entry: inout ScheduleEntry) {
        entry.queue = queue() ?? jobs?[entry.job] ?? .celery
        entry.args = args()
        entry.kwargs = kwargs()
        entry.priority = priority() ?? entry.priority
        entry.expiresAfter = duration("expires_after")
        entry.misfire = misfire() ?? entry.misfire
    }

    private mutating func refuseUnknownKeys() {
        for (key, _) in settings {
            let text = key.scalar?.string ?? ""
            guard !Self.keys.contains(text) else { continue }
            let hint = NearestName.hint(for: text, among: Self.keys)
            problems.add(
                line: key.mark?.line, entry: name, key: text, "is not a known key\(hint)")
        }
    }

    // MARK: - What and when

    private mutating func job() -> JobName? {
        guard settings["job"] != nil else {
            problems.add(line: line, entry: name, key: "job", "is missing")
            return nil
        }
        guard let text = text("job") else { return nil }
        let job = JobName(text)
        if let jobs, jobs[job] == nil {
            let hint = NearestName.hint(for: text, among: jobs.keys.map(\.text))
            add("job", "\"\(text)\" is not a known job\(hint)")
            return nil
        }
        return job
    }

    private mutating func schedule() -> Schedule? {
        switch (settings["crontab"], settings["every"]) {
        case (.some(let node), nil):
            let zone = entryZone()
            return crontab(node).flatMap { crontab in
                zone.map { .crontab(crontab, zone: $0) }
            }
        case (nil, .some):
            if settings["timezone"] != nil {
                add("timezone", "has no meaning beside every, which counts from the epoch")
            }
            return duration("every", atLeast: ScheduleTable.shortestInterval).map { .every($0) }
        case (.some, .some):
            add("every", "cannot stand beside crontab; an entry has one of them")
            return nil
        case (nil, nil):
            problems.add(line: line, entry: name, "needs crontab or every")
            return nil
        }
    }

    private mutating func crontab(_ node: Node) -> CronExpression? {
        do {
            guard let mapping = node.mapping else {
                return try text("crontab").map(CronExpression.init(_:))
            }
            return try CronFieldMapping(mapping).expression()
        } catch let error as CronError {
            add("crontab", error.description)
        } catch let failure as CronFieldMapping.Failure {
            problems.add(line: failure.line, entry: name, key: "crontab", failure.problem)
        } catch {
            add("crontab", "cannot be read")
        }
        return nil
    }

    private mutating func entryZone() -> TimeZone? {
        guard settings["timezone"] != nil else { return zone }
        guard let text = text("timezone") else { return nil }
        switch ZoneName.zone(text) {
        case .success(let zone): return zone
        case .failure(let failure):
            add("timezone", failure.problem)
            return nil
        }
    }

    // MARK: - Options

    private mutating func queue() -> QueueName? {
        guard let text = text("queue") else { return nil }
        do {
            return try QueueName(text)
        } catch {
            add("queue", "\(error.problem)")
            return nil
        }
    }

    private mutating func args() -> [JSONValue] {
        guard let node = settings["args"] else { return [] }
        guard node.sequence != nil else {
            add("args", "must be a list")
            return []
        }
        guard case .array(let values) = json(node, of: "args") else { return [] }
        return values
    }

    private mutating func kwargs() -> JSONObject {
        guard let node = settings["kwargs"] else { return JSONObject() }
        guard node.mapping != nil else {
            add("kwargs", "must be a mapping")
            return JSONObject()
        }
        guard case .object(let object) = json(node, of: "kwargs") else { return JSONObject() }
        return object
    }

    private mutating func json(_ node: Node, of key: String) -> JSONValue? {
        do {
            return try YAMLValue.json(node)
        } catch {
            problems.add(line: error.line, entry: name, key: key, error.problem)
            return nil
        }
    }

    private mutating func priority() -> Priority? {
        guard let text = text("priority") else { return nil }
        guard let value = Int(text), (0...9).contains(value) else {
            add("priority", "\"\(text)\" is not a whole number from 0 (most urgent) to 9")
            return nil
        }
        return Priority(value)
    }

    private mutating func misfire() -> MisfirePolicy? {
        guard let text = text("misfire") else { return nil }
        guard let policy = MisfirePolicy(rawValue: text) else {
            let known = MisfirePolicy.allCases.map(\.rawValue)
            let hint = NearestName.hint(for: text, among: known)
            add("misfire", "\"\(text)\" is neither skip nor run_once\(hint)")
            return nil
        }
        return policy
    }

    // MARK: - Pieces

    private mutating func duration(
        _ key: String, atLeast minimum: Duration = .seconds(1)
    ) -> Duration? {
        guard let text = text(key) else { return nil }
        do {
            let duration = try Duration(text: text)
            if duration >= minimum { return duration }
            add(key, "\"\(text)\" is shorter than \(minimum)")
        } catch {
            add(key, "\(error)")
        }
        return nil
    }

    /// The text of a scalar; nil when the key is absent, or after adding a problem.
    private mutating func text(_ key: String) -> String? {
        guard let node = settings[key] else { return nil }
        guard let scalar = node.scalar else {
            add(key, "must be a single value")
            return nil
        }
        guard !scalar.string.isEmpty, !YAMLValue.isNull(node) else {
            add(key, "is empty")
            return nil
        }
        return scalar.string
    }

    private mutating func add(_ key: String, _ message: String) {
        let mark = settings.first { $0.key.scalar?.string == key }?.key.mark
        problems.add(line: mark?.line ?? line, entry: name, key: key, message)
    }
}
