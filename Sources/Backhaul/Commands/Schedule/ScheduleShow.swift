import ArgumentParser
import Broker
import Foundation
import JobModel
import Scheduler
import Store

/// `backhaul schedule show`.
struct ScheduleShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one entry: its settings, its next and last ticks, who changed it.",
        discussion: """
            Examples:
              backhaul schedule show sla-sweep
              backhaul schedule show sla-sweep --ticks 50 -o json
            """)

    @Argument(help: "The entry's name.")
    var name: String

    @Option(help: "Show this many of the last ticks, 0 to 1000.")
    var ticks = 10

    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (0...1000).contains(ticks) else {
            throw ValidationError("--ticks must be 0 to 1000, not \(ticks)")
        }
    }

    func run() async throws {
        let report = try await shared.withSchedule(scheduler) { scene in
            let item = try scene.item(name)
            var filter = TickHistoryRepository.Filter()
            (filter.entry, filter.limit) = (name, max(ticks, 1))
            let rows = try await scene.ticks.newest(filter)
            let changes =
                try await scene.note == nil
                ? scene.repository?.changes(of: name, limit: 10) ?? [] : []
            return EntryReport(
                item, scene: scene, rows: rows, shown: ticks, changes: changes)
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(report)
        case .text: print(report.text.withoutControls)
        }
    }
}

/// All about one entry, as it is printed.
struct EntryReport: Encodable {
    /// Ticks to come that are shown.
    private static let shownAhead = 5

    /// One thing done to it.
    struct Change: Encodable {
        let at: Date
        let by: String
        let what: String
    }

    let entry: EntrySummary
    /// The settings, by the keys of the schedule file.
    let settings: [String: String]
    let upcoming: [Date]
    let ticks: [TickLineReport]
    let changes: [Change]
    let note: String?

    init(
        _ item: ScheduleBook.Item, scene: ScheduleScene, rows: [TickRow], shown: Int,
        changes: [ScheduleChange]
    ) {
        let last = rows.first.map { [item.name: $0] } ?? [:]
        entry = EntrySummary(
            item, file: scene.settings.scheduler.file, last: last, now: scene.now)
        settings =
            item.entry.map(Self.settings)
            ?? ["definition": item.record?.definition ?? "none"]
        upcoming =
            item.isPaused
            ? []
            : item.entry.map { entry in
                entry.upcoming(after: scene.now, limit: Self.shownAhead)
                    .map(\.firesAt)
            } ?? []
        ticks = rows.prefix(shown).map(TickLineReport.init)
        self.changes = changes.map { Change(at: $0.at, by: $0.who, what: $0.what.rawValue) }
        note = scene.note
    }

    private static func settings(of entry: ScheduleEntry) -> [String: String] {
        var settings = [
            "job": entry.job.text, "queue": entry.queue.text, "when": entry.schedule.words,
            "args": json(.array(entry.args)), "kwargs": json(.object(entry.kwargs)),
            "priority": "\(entry.priority.value)", "misfire": entry.misfire.rawValue,
        ]
        settings["timezone"] = entry.schedule.zoneName
        settings["expires_after"] = entry.expiresAfter?.inUnits
        settings["overlap"] = entry.overlap.rawValue
        settings["misfire_after"] = entry.misfireAfter.inUnits
        if entry.misfire == .runAll { settings["misfire_limit"] = "\(entry.misfireLimit)" }
        if entry.overlap != .allow {
            settings["overlap_stale_after"] = entry.overlapStaleAfter.inUnits
        }
        if entry.jitter > .zero { settings["jitter"] = entry.jitter.inUnits }
        settings["starts"] = entry.starts?.formatted(.iso8601)
        settings["ends"] = entry.ends?.formatted(.iso8601)
        settings["holidays"] = entry.holidays?.name
        return settings
    }

    private static func json(_ value: JSONValue) -> String {
        String(decoding: value.encoded(.python), as: UTF8.self)
    }

    var text: String {
        var facts = TextTable(rows: [["name", entry.name], ["state", entry.state]])
        if let reason = entry.pauseReason { facts.rows.append(["paused because", reason]) }
        if let problem = entry.problem { facts.rows.append(["problem", problem.asOneLine]) }
        facts.rows.append(["from", entry.origin])
        for (key, value) in settings.sorted(by: { $0.key < $1.key }) {
            facts.rows.append([key, value])
        }
        for (index, date) in upcoming.enumerated() {
            facts.rows.append([index == 0 ? "next" : "", date.formatted(.iso8601)])
        }
        var parts = [facts.text]
        if !ticks.isEmpty {
            parts.append(TextTable(rows: [TickLineReport.heading] + ticks.map(\.row)).text)
        }
        if !changes.isEmpty {
            parts.append(
                TextTable(
                    rows: [["CHANGED", "BY", "WHAT"]]
                        + changes.map { [$0.at.formatted(.iso8601), $0.by, $0.what] }
                ).text)
        }
        if let note { parts.append(note) }
        return parts.joined(separator: "\n\n")
    }
}
