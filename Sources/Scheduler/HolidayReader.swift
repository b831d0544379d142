import JobModel
import Yams

/// Reads the calendars of a schedule file: lists of days by name.
struct HolidayReader {
    var problems: ProblemList

    mutating func calendars(_ node: Node) -> [String: HolidayCalendar] {
        guard let mapping = node.mapping else {
            problems.add(
                line: node.mark?.line, key: "holidays", "must be a mapping of names to days")
            return [:]
        }
        guard mapping.count <= HolidayCalendar.maximumCalendars else {
            let limit = HolidayCalendar.maximumCalendars
            problems.add(
                line: node.mark?.line, key: "holidays",
                "has \(mapping.count) calendars; at most \(limit) are allowed")
            return [:]
        }
        var calendars: [String: HolidayCalendar] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string, !name.isEmpty else {
                problems.add(line: key.mark?.line, key: "holidays", "has a calendar without a name")
                continue
            }
            calendars[name] = HolidayCalendar(name: name, days: days(value, of: name))
        }
        return calendars
    }

    private mutating func days(_ node: Node, of name: String) -> [ClosedRange<Int64>] {
        if YAMLValue.isNull(node) { return [] }
        let key = "holidays.\(name)"
        guard let list = node.sequence else {
            problems.add(line: node.mark?.line, key: key, "must be a list of days")
            return []
        }
        guard list.count <= HolidayCalendar.maximumItems else {
            let limit = HolidayCalendar.maximumItems
            problems.add(
                line: node.mark?.line, key: key,
                "has \(list.count) items; at most \(limit) are allowed")
            return []
        }
        return list.compactMap { item in
            do throws(HolidayCalendar.Failure) {
                return try HolidayCalendar.days(item.scalar?.string ?? "")
            } catch {
                problems.add(line: item.mark?.line, key: key, error.problem)
                return nil
            }
        }
    }
}
