package import Store

/// Reads a stored definition under its name.
package typealias ReadEntry =
    @Sendable (_ name: String, _ definition: String) throws(ScheduleProblems) -> ScheduleEntry

/// The whole schedule: what the file declares and what is stored, put together by one rule.
///
/// Of two entries with one name that of the file counts. A pause counts for either. What cannot be
/// used is kept with its problem, and stops nothing else.
package struct ScheduleBook: Sendable {
    package struct Item: Sendable {
        package let name: String
        /// As it runs; nil when it cannot.
        package let entry: ScheduleEntry?
        /// What is stored of it.
        package let record: ScheduleRecord?
        package let isDeclared: Bool
        /// Why it, or what is stored of it, is not used.
        package let problem: String?

        package var isPaused: Bool { record?.isPaused ?? false }
    }

    /// Those of the file in its order, then the stored ones by name.
    package let items: [Item]

    package init(declared: [ScheduleEntry], stored: [ScheduleRecord], read: ReadEntry) {
        let records = Dictionary(
            stored.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let names = Set(declared.map(\.name))
        var items = declared.map { Self.item(declared: $0, record: records[$0.name]) }
        for record in stored where !names.contains(record.name) {
            items.append(
                items.count < ScheduleTable.maximumEntries
                    ? Self.item(stored: record, read: read)
                    : Item(
                        name: record.name, entry: nil, record: record, isDeclared: false,
                        problem: "is one of more than \(ScheduleTable.maximumEntries) entries"))
        }
        self.items = items
    }

    /// The entries that can be used, paused ones too.
    package var entries: [ScheduleEntry] { items.compactMap(\.entry) }

    package subscript(name: String) -> Item? { items.first { $0.name == name } }

    private static func item(declared: ScheduleEntry, record: ScheduleRecord?) -> Item {
        var entry = declared
        entry.isPaused = record?.isPaused ?? false
        return Item(
            name: entry.name, entry: entry, record: record, isDeclared: true,
            problem: record?.definition == nil
                ? nil : "the file declares this entry too, and counts; the stored one is not used")
    }

    private static func item(stored record: ScheduleRecord, read: ReadEntry) -> Item {
        var entry: ScheduleEntry?
        var problem: String?
        if let definition = record.definition {
            do throws(ScheduleProblems) {
                entry = try read(record.name, definition)
                entry?.isPaused = record.isPaused
                entry?.origin = .stored(by: record.changedBy)
            } catch {
                problem = error.problems.map(\.description).joined(separator: "; ")
            }
        } else {
            problem = "is paused, but neither declared nor stored"
        }
        return Item(
            name: record.name, entry: entry, record: record, isDeclared: false, problem: problem)
    }
}
