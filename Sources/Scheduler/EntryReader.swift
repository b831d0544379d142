import Foundation
import JobModel
import Yams

/// Reads the settings of one schedule entry: here what it runs and when, the options in an extension.
struct EntryReader {
    static let keys = [
        "job", "foreign", "crontab", "every", "timezone", "starts", "ends", "holidays", "jitter",
        "queue", "args", "kwargs", "priority", "expires_after", "misfire", "misfire_after",
        "misfire_limit", "overlap", "overlap_stale_after",
    ]

    let name: String
    let line: Int?
    let settings: Node.Mapping
    /// The file's time zone, for an entry that names none.
    let zone: TimeZone
    let calendars: [String: HolidayCalendar]
    let jobs: [JobName: QueueName]?
    var problems: ProblemList

    /// The entry; what it lacks or gets wrong is added to `problems`, and then it is not used.
    mutating func entry() -> ScheduleEntry? {
        refuseUnknownKeys()
        let isForeign = flag("foreign") ?? false
        let job = job(isForeign: isForeign)
        let zone = entryZone()
        let schedule = schedule(in: zone)
        // The options are read in any case, so that everything is reported at once.
        var entry = ScheduleEntry(
            name: name, job: job ?? "", schedule: schedule ?? .every(ScheduleTable.shortestInterval)
        )
        entry.zone = zone ?? self.zone
        entry.isForeign = isForeign
        readOptions(into: &entry)
        if settings["every"] != nil, settings["crontab"] == nil { refuseIdleZone(of: entry) }
        guard job != nil, schedule != nil else { return nil }
        readJitter(into: &entry)
        readBounds(into: &entry)
        return entry
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

    private mutating func job(isForeign: Bool) -> JobName? {
        guard settings["job"] != nil else {
            problems.add(line: line, entry: name, key: "job", "is missing")
            return nil
        }
        guard let text = text("job") else { return nil }
        let job = JobName(text)
        if let jobs, jobs[job] == nil, !isForeign {
            let hint = NearestName.hint(for: text, among: jobs.keys.map(\.text))
            let advice =
                hint.isEmpty ? "; if other workers run it, write foreign: true beside it" : hint
            add("job", "\"\(text)\" is not a known job\(advice)")
            return nil
        }
        return job
    }

    private mutating func schedule(in zone: TimeZone?) -> Schedule? {
        switch (settings["crontab"], settings["every"]) {
        case (.some(let node), nil):
            return crontab(node).flatMap { crontab in
                zone.map { .crontab(crontab, zone: $0) }
            }
        case (nil, .some):
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

    /// Refuses a zone that nothing of an interval hangs on: its author expects something of it.
    private mutating func refuseIdleZone(of entry: ScheduleEntry) {
        guard settings["timezone"] != nil, entry.templates.isEmpty,
            ["starts", "ends", "holidays"].allSatisfy({ settings[$0] == nil })
        else { return }
        add("timezone", "has no meaning beside every, which counts from the epoch")
    }

    // MARK: - Pieces

    mutating func duration(
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

    /// One of the words of an enumeration.
    mutating func word<Word: RawRepresentable<String> & CaseIterable>(
        _ key: String, _ type: Word.Type
    ) -> Word? {
        guard let text = text(key) else { return nil }
        if let word = Word(rawValue: text) { return word }
        let known = Word.allCases.map(\.rawValue)
        let list = known.dropLast().joined(separator: ", ") + " or " + (known.last ?? "")
        add(key, "\"\(text)\" is not \(list)\(NearestName.hint(for: text, among: known))")
        return nil
    }

    mutating func flag(_ key: String) -> Bool? {
        guard let text = text(key) else { return nil }
        guard let flag = Bool(text) else {
            add(key, "\"\(text)\" is neither true nor false")
            return nil
        }
        return flag
    }

    /// The text of a scalar; nil when the key is absent, or after adding a problem.
    mutating func text(_ key: String) -> String? {
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

    mutating func add(_ key: String, _ message: String) {
        let mark = settings.first { $0.key.scalar?.string == key }?.key.mark
        problems.add(line: mark?.line ?? line, entry: name, key: key, message)
    }
}
