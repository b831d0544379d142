import Broker
import Foundation
import JobModel
import Yams

extension EntryReader {
    /// Everything that has a default.
    mutating func readOptions(into entry: inout ScheduleEntry) {
        entry.queue = queue() ?? jobs?[entry.job] ?? .celery
        entry.args = args()
        entry.kwargs = kwargs()
        entry.templates = templates(args: entry.args, kwargs: entry.kwargs)
        entry.priority = priority() ?? entry.priority
        entry.expiresAfter = duration("expires_after")
        entry.misfire = word("misfire", MisfirePolicy.self) ?? entry.misfire
        entry.misfireAfter = duration("misfire_after") ?? entry.misfireAfter
        entry.misfireLimit = misfireLimit(of: entry.misfire) ?? entry.misfireLimit
        entry.overlap = word("overlap", OverlapPolicy.self) ?? entry.overlap
        entry.overlapStaleAfter = staleAfter(of: entry.overlap) ?? entry.overlapStaleAfter
        entry.holidays = holidays()
    }

    private mutating func misfireLimit(of policy: MisfirePolicy) -> Int? {
        guard let text = text("misfire_limit") else { return nil }
        let highest = ScheduleEntry.highestMisfireLimit
        guard let limit = Int(text), (1...highest).contains(limit) else {
            add("misfire_limit", "\"\(text)\" is not a whole number from 1 to \(highest)")
            return nil
        }
        if policy != .runAll {
            add(
                "misfire_limit", "has no meaning unless misfire is \(MisfirePolicy.runAll.rawValue)"
            )
        }
        return limit
    }

    private mutating func staleAfter(of policy: OverlapPolicy) -> Duration? {
        guard let duration = duration("overlap_stale_after") else { return nil }
        if policy == .allow {
            let others = OverlapPolicy.allCases.filter { $0 != .allow }.map(\.rawValue)
            let list = others.joined(separator: " or ")
            add("overlap_stale_after", "has no meaning unless overlap is \(list)")
        }
        return duration
    }

    private mutating func holidays() -> HolidayCalendar? {
        guard let text = text("holidays") else { return nil }
        guard let calendar = calendars[text] else {
            let hint = NearestName.hint(for: text, among: calendars.keys)
            add("holidays", "\"\(text)\" is not a calendar of this file\(hint)")
            return nil
        }
        return calendar
    }

    // MARK: - Limits in time

    /// Reads the jitter, whose limit hangs on the schedule.
    mutating func readJitter(into entry: inout ScheduleEntry) {
        guard let jitter = duration("jitter", atLeast: .milliseconds(1)) else { return }
        switch entry.schedule {
        case .every(let interval) where jitter > interval:
            add("jitter", "is longer than the interval")
        case .crontab where jitter > ScheduleEntry.longestCrontabJitter:
            add("jitter", "is longer than an hour")
        default:
            entry.jitter = jitter
        }
    }

    /// Reads `starts` and `ends`, and refuses an entry that has no tick between them.
    mutating func readBounds(into entry: inout ScheduleEntry) {
        entry.starts = wallTime("starts")?.beginning(in: entry.zone)
        entry.ends = wallTime("ends")?.end(in: entry.zone)
        guard let starts = entry.starts, let ends = entry.ends else { return }
        if ends <= starts {
            add("ends", "is not later than starts")
        } else if entry.nextTick(after: .distantPast) == nil {
            let key = if case .crontab = entry.schedule { "crontab" } else { "every" }
            add(key, "never fires between starts and ends")
        }
    }

    private mutating func wallTime(_ key: String) -> WallTime? {
        guard let text = text(key) else { return nil }
        do {
            return try WallTime(text)
        } catch {
            add(key, error.problem)
            return nil
        }
    }

    // MARK: - What the job is sent

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
            let value = try YAMLValue.json(node)
            refuseBadTemplates(in: node, of: key)
            return value
        } catch {
            problems.add(line: error.line, entry: name, key: key, error.problem)
            return nil
        }
    }

    /// Names the line of each text that is a template gone wrong.
    private mutating func refuseBadTemplates(in node: Node, of key: String) {
        switch node {
        case .scalar(let scalar):
            do {
                _ = try ArgumentTemplate(scalar.string)
            } catch {
                problems.add(line: scalar.mark?.line, entry: name, key: key, error.problem)
            }
        case .sequence(let sequence):
            for element in sequence { refuseBadTemplates(in: element, of: key) }
        case .mapping(let mapping):
            for (_, value) in mapping { refuseBadTemplates(in: value, of: key) }
        case .alias:
            return
        }
    }

    /// The templates; those gone wrong were refused before, and then nothing is used.
    private func templates(args: [JSONValue], kwargs: JSONObject) -> ArgumentTemplates {
        (try? ArgumentTemplates(args: args, kwargs: kwargs)) ?? ArgumentTemplates()
    }

    private mutating func priority() -> Priority? {
        guard let text = text("priority") else { return nil }
        guard let value = Int(text), (0...9).contains(value) else {
            add("priority", "\"\(text)\" is not a whole number from 0 (most urgent) to 9")
            return nil
        }
        return Priority(value)
    }
}
