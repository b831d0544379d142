import Foundation
import JobModel
import Yams

/// Reads the text of a schedule file into entries, and gathers what is wrong with it.
struct ScheduleReader {
    private static let keys = ["timezone", "entries"]

    var problems: ProblemList
    let jobs: [JobName: QueueName]?

    mutating func entries(of yaml: String) throws(ScheduleProblems) -> [ScheduleEntry] {
        let entries = compose(yaml).map { read($0) } ?? []
        if let error = problems.error { throw error }
        return entries
    }

    /// The root node; nil for an empty file, which is an empty schedule, and for broken YAML.
    private mutating func compose(_ yaml: String) -> Node? {
        do {
            return try Yams.compose(yaml: yaml)
        } catch YamlError.duplicatedKeysInMapping(let names, let context) {
            for name in names {
                problems.add(line: context.mark.line, key: name, "is written twice")
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

    private mutating func read(_ root: Node) -> [ScheduleEntry] {
        if YAMLValue.isNull(root) { return [] }
        guard let mapping = root.mapping else {
            problems.add(line: root.mark?.line, "must hold the keys timezone and entries")
            return []
        }
        refuseUnknownKeys(of: mapping)
        let zone = defaultZone(mapping["timezone"])
        guard let node = mapping["entries"], !YAMLValue.isNull(node) else { return [] }
        guard let list = node.mapping else {
            problems.add(line: node.mark?.line, key: "entries", "must be a mapping of names")
            return []
        }
        guard list.count <= ScheduleTable.maximumEntries else {
            problems.add(
                line: node.mark?.line, key: "entries",
                "has \(list.count) entries; at most \(ScheduleTable.maximumEntries) are allowed")
            return []
        }
        var entries: [ScheduleEntry] = []
        for (key, value) in list {
            guard let name = entryName(key) else { continue }
            guard let settings = value.mapping else {
                problems.add(line: key.mark?.line, entry: name, "must be a mapping of settings")
                continue
            }
            var reader = EntryReader(
                name: name, line: key.mark?.line, settings: settings, zone: zone, jobs: jobs,
                problems: problems)
            if let entry = reader.entry() { entries.append(entry) }
            problems = reader.problems
        }
        return entries
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

    private mutating func entryName(_ key: Node) -> String? {
        let name = key.scalar?.string ?? ""
        let problem: String
        if name.isEmpty {
            problem = "an entry needs a name"
        } else if name.utf8.count > ScheduleEntry.maximumNameBytes {
            problem = "an entry's name has at most \(ScheduleEntry.maximumNameBytes) bytes"
        } else if !name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) {
            problem = "an entry's name holds no control characters"
        } else {
            return name
        }
        problems.add(line: key.mark?.line, key: "entries", problem)
        return nil
    }
}
