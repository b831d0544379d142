package import Foundation
package import JobModel
import Yams

/// Reads the text of a schedule file into entries, and gathers what is wrong with it.
struct ScheduleReader {
    private static let keys = ["timezone", "holidays", "entries"]

    /// What a schedule file says.
    struct Contents {
        var zone = TimeZone.gmt
        var calendars: [String: HolidayCalendar] = [:]
        var entries: [ScheduleEntry] = []
    }

    var problems: ProblemList
    let jobs: [JobName: QueueName]?

    mutating func contents(of yaml: String) throws(ScheduleProblems) -> Contents {
        let contents = compose(yaml).map { read($0) } ?? Contents()
        if let error = problems.error { throw error }
        return contents
    }

    /// One entry from a text that holds its settings alone.
    mutating func entry(
        _ name: String, of definition: String, zone: TimeZone,
        calendars: [String: HolidayCalendar]
    ) throws(ScheduleProblems) -> ScheduleEntry {
        var entry: ScheduleEntry?
        if let problem = Self.problem(ofName: name) {
            problems.add(line: nil, entry: name, problem)
        }
        if definition.utf8.count > ScheduleEntry.maximumDefinitionBytes {
            problems.add(
                line: nil, entry: name,
                "is larger than \(ScheduleEntry.maximumDefinitionBytes) bytes")
        } else if let root = compose(definition) {
            entry = read(
                name, line: root.mark?.line, root, Contents(zone: zone, calendars: calendars))
        } else if problems.error == nil {
            problems.add(line: nil, entry: name, "is empty")
        }
        if let error = problems.error { throw error }
        guard let entry else {
            problems.add(line: nil, entry: name, "cannot be read")
            throw ScheduleProblems(problems: problems.problems)
        }
        return entry
    }

    /// The root node; nil for an empty text, and for broken YAML.
    private mutating func compose(_ yaml: String) -> Node? {
        do {
            return try Yams.compose(yaml: yaml)
        } catch YamlError.duplicatedKeysInMapping(let names, let context) {
            for name in names {
                let lines = Self.lines(of: name, in: yaml, from: context.mark.line)
                problems.add(
                    line: lines.count > 1 ? lines[1] : context.mark.line, key: name,
                    "is written twice"
                        + (lines.count > 1 ? "; the first is on line \(lines[0])" : ""))
            }
        } catch YamlError.scanner(_, let problem, let mark, _),
            YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _)
        {
            problems.add(line: mark.line, "is not valid YAML: \(problem)")
        } catch {
            problems.add(line: nil, "is not valid YAML")
        }
        return nil
    }

    /// The lines on which a key stands, for one that is written twice.
    ///
    /// Yams tells only where the mapping begins; these lines begin with the key, indented as the
    /// first of them.
    private static func lines(of key: String, in yaml: String, from first: Int) -> [Int] {
        var indent: Int?
        var found: [Int] = []
        for (index, line) in yaml.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated() where index + 1 >= first
        {
            let text = line.drop { $0 == " " }
            guard ["\(key):", "\"\(key)\":", "'\(key)':"].contains(where: text.hasPrefix) else {
                continue
            }
            let spaces = line.count - text.count
            guard spaces == indent ?? spaces else { continue }
            indent = spaces
            found.append(index + 1)
        }
        return found
    }

    private mutating func read(_ root: Node) -> Contents {
        var contents = Contents()
        if YAMLValue.isNull(root) { return contents }
        guard let mapping = root.mapping else {
            problems.add(line: root.mark?.line, "must hold the keys timezone and entries")
            return contents
        }
        refuseUnknownKeys(of: mapping)
        contents.zone = defaultZone(mapping["timezone"])
        if let node = mapping["holidays"], !YAMLValue.isNull(node) {
            var reader = HolidayReader(problems: problems)
            contents.calendars = reader.calendars(node)
            problems = reader.problems
        }
        guard let node = mapping["entries"], !YAMLValue.isNull(node) else { return contents }
        guard let list = node.mapping else {
            problems.add(line: node.mark?.line, key: "entries", "must be a mapping of names")
            return contents
        }
        guard list.count <= ScheduleTable.maximumEntries else {
            problems.add(
                line: node.mark?.line, key: "entries",
                "has \(list.count) entries; at most \(ScheduleTable.maximumEntries) are allowed")
            return contents
        }
        for (key, value) in list {
            let name = key.scalar?.string ?? ""
            if let problem = Self.problem(ofName: name) {
                problems.add(line: key.mark?.line, key: "entries", problem)
            } else if var entry = read(name, line: key.mark?.line, value, contents) {
                entry.origin = .file(problems.file, line: key.mark?.line)
                contents.entries.append(entry)
            }
        }
        return contents
    }

    private mutating func read(
        _ name: String, line: Int?, _ node: Node, _ contents: Contents
    ) -> ScheduleEntry? {
        guard let settings = node.mapping else {
            problems.add(line: line, entry: name, "must be a mapping of settings")
            return nil
        }
        var reader = EntryReader(
            name: name, line: line, settings: settings, zone: contents.zone,
            calendars: contents.calendars, jobs: jobs, problems: problems)
        defer { problems = reader.problems }
        return reader.entry()
    }

    private mutating func refuseUnknownKeys(of mapping: Node.Mapping) {
        for (key, _) in mapping {
            let name = key.scalar?.string ?? ""
            guard !Self.keys.contains(name) else { continue }
            let hint = NearestName.hint(for: name, among: Self.keys)
            problems.add(line: key.mark?.line, key: name, "is not a known key\(hint)")
        }
    }

    private mutating func defaultZone(_ node: Node?) -> TimeZone {
        guard let node else { return .gmt }
        switch ZoneName.zone(node.scalar?.string ?? "") {
        case .success(let zone): return zone
        case .failure(let failure):
            problems.add(line: node.mark?.line, key: "timezone", failure.problem)
            return .gmt
        }
    }

    private static func problem(ofName name: String) -> String? {
        if name.isEmpty { return "an entry needs a name" }
        if name.utf8.count > ScheduleEntry.maximumNameBytes {
            return "an entry's name has at most \(ScheduleEntry.maximumNameBytes) bytes"
        }
        guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            return "an entry's name holds no control characters"
        }
        return nil
    }
}

extension ScheduleEntry {
    /// The largest text of one entry outside a file, bytes.
    package static let maximumDefinitionBytes = 64 * 1024

    /// Reads one entry from a text that holds its settings: a JSON object, or YAML, with the keys
    /// that an entry has in a schedule file.
    ///
    /// - Parameters:
    ///   - name: the entry's name.
    ///   - definition: the text.
    ///   - label: where the text comes from, in place of a file's name in messages.
    ///   - zone: the time zone of an entry that names none, such as `ScheduleTable.zone`.
    ///   - calendars: the holidays it may name, such as `ScheduleTable.calendars`.
    ///   - jobs: as for `ScheduleTable`.
    /// - Returns: the entry; where it comes from is for the caller to set.
    /// - Throws: `ScheduleProblems` with every problem of the text.
    package static func read(
        name: String, definition: String, label: String, zone: TimeZone = .gmt,
        calendars: [String: HolidayCalendar] = [:], jobs: [JobName: QueueName]? = nil
    ) throws(ScheduleProblems) -> ScheduleEntry {
        var reader = ScheduleReader(problems: ProblemList(file: label), jobs: jobs)
        return try reader.entry(name, of: definition, zone: zone, calendars: calendars)
    }
}
