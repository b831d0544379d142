import ArgumentParser
import Broker
import Foundation
import JobModel
import Scheduler
import Store

/// `backhaul schedule ls`.
struct ScheduleList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List all entries: when they fire next, how they fared, where they come from.",
        discussion: """
            Examples:
              backhaul schedule ls
              backhaul schedule ls -o json
            """,
        aliases: ["list"])

    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let listing = try await shared.withSchedule(scheduler) { scene in
            let (last, note) = await Self.last(scene)
            return ScheduleListing(
                items: scene.book.items.map {
                    EntrySummary(
                        $0, file: scene.settings.scheduler.file, last: last, now: scene.now)
                }, notes: [scene.note, note].compactMap(\.self))
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(listing)
        case .text: print(listing.text.withoutControls)
        }
    }

    /// The last ticks; that a server is away must not hide the entries.
    private static func last(_ scene: ScheduleScene) async -> ([String: TickRow], String?) {
        do {
            return (try await scene.ticks.newest(of: scene.book.items.map(\.name)), nil)
        } catch {
            return ([:], "the last ticks are not known: \(error)")
        }
    }
}

/// The entries, as they are printed.
struct ScheduleListing: Encodable {
    let items: [EntrySummary]
    /// What is not certain, and why.
    let notes: [String]

    var text: String {
        var lines: [String] = []
        if items.isEmpty {
            lines.append("no entries")
        } else {
            var table = TextTable(rows: [
                ["NAME", "JOB", "WHEN", "ZONE", "NEXT", "LAST TICK", "STATE", "FROM"]
            ])
            for item in items { table.rows.append(item.row) }
            lines.append(table.text)
        }
        for item in items {
            if let reason = item.pauseReason {
                lines.append(
                    "\(item.name) is paused: \(reason.asOneLine) (\(item.changedBy ?? "?"))")
            }
            if let problem = item.problem { lines.append("\(item.name): \(problem.asOneLine)") }
        }
        return (lines + notes).joined(separator: "\n")
    }
}

/// One entry in short.
struct EntrySummary: Encodable {
    let name: String
    let job: String?
    let when: String?
    let zone: String?
    /// Null when it is paused, cannot be used, or never fires again.
    let next: Date?
    let lastTick: TickLineReport?
    /// `active`, `paused` or `problem`.
    let state: String
    let pauseReason: String?
    let problem: String?
    /// The file and the line, or who stored it.
    let origin: String
    let declared: Bool
    let changedBy: String?
    let changedAt: Date?
    let version: Int64?

    private enum CodingKeys: String, CodingKey {
        case name
        case job
        case when
        case zone
        case next
        case lastTick = "last_tick"
        case state
        case pauseReason = "pause_reason"
        case problem
        case origin
        case declared
        case changedBy = "changed_by"
        case changedAt = "changed_at"
        case version
    }

    init(_ item: ScheduleBook.Item, file: String, last: [String: TickRow], now: Date) {
        name = item.name
        let entry = item.entry
        job = entry?.job.text
        when = entry?.schedule.words
        zone = entry?.schedule.zoneName
        next = entry.flatMap { entry in
            item.isPaused
                ? nil : entry.upcoming(after: now, limit: 1).first?.firesAt
        }
        lastTick = last[item.name].map(TickLineReport.init)
        state = entry == nil ? "problem" : item.isPaused ? "paused" : "active"
        pauseReason = item.isPaused ? item.record?.pauseReason ?? "no reason given" : nil
        problem = item.problem
        declared = item.isDeclared
        origin = Self.origin(item, file: file)
        changedBy = item.record?.changedBy
        changedAt = item.record?.changedAt
        version = item.record?.version
    }

    private static func origin(_ item: ScheduleBook.Item, file: String) -> String {
        switch item.entry?.origin {
        case .file(let file, let line): line.map { "\(file):\($0)" } ?? file
        case .stored(let who): "stored by \(who)"
        case .code, nil:
            item.isDeclared ? file : "stored by \(item.record?.changedBy ?? "?")"
        }
    }

    fileprivate var row: [String] {
        [
            name, job ?? "?", when ?? "?", zone ?? "-", next?.formatted(.iso8601) ?? "-",
            lastTick.map { tick in
                "\(tick.dueAt.formatted(.iso8601)) \(tick.endedState ?? tick.outcome)"
            } ?? "-", state, origin,
        ]
    }
}
