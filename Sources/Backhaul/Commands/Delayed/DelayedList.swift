import ArgumentParser
import Broker
import Foundation
import JobModel

/// `backhaul delayed ls`.
struct DelayedList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List jobs that wait for their time, the next ones first.",
        discussion: """
            Arguments are not shown; `show` shows them. A filter other than the times reads
            all that wait, a second or so for each hundred thousand.

            Examples:
              backhaul delayed ls
              backhaul delayed ls --job reports.render --due-before 2h
              backhaul delayed ls --per-page 100 -o json
              backhaul delayed ls --after 1795510800000:8b97054d-e1fb-4828-9412-ab53c59f29ff
            """,
        aliases: ["list"])

    @Option(help: "Jobs on a page, 1 to 1000.")
    var perPage = 25

    @Option(
        help: ArgumentHelp(
            "Go on behind this place, as the end of a page names it.", valueName: "place"))
    var after: String?

    @OptionGroup var filters: DelayedFilters
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...1000).contains(perPage) else {
            throw ValidationError("--per-page must be 1 to 1000, not \(perPage)")
        }
        if let after, DelayedPlace(after) == nil {
            throw ValidationError("--after takes a place as `ls` prints it, not “\(after)”.")
        }
    }

    func run() async throws {
        let filter = try filters.filter()
        let page = try await shared.withBroker { broker in
            let total = try await broker.delayed()
            var scan = broker.scanDelayed(filter, after: after.flatMap(DelayedPlace.init))
            var jobs: [DelayedJob] = []
            while jobs.count <= perPage {
                let more = try await scan.next()
                if more.isEmpty { break }
                jobs += more
            }
            return DelayedPage(
                items: jobs.prefix(perPage).map(DelayedSummary.init), total: total,
                next: jobs.count > perPage ? jobs[perPage - 1].place.description : nil)
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(page)
        case .text: print(page.text(now: SystemTime().now).withoutControls)
        }
    }
}

/// One page of a listing.
struct DelayedPage: Encodable {
    let items: [DelayedSummary]
    /// All that wait, whatever the filter says.
    let total: Int
    /// Where the next page begins; nil on the last one.
    let next: String?

    func text(now: Date) -> String {
        guard total > 0 else { return "nothing waits for its time" }
        guard !items.isEmpty else { return "none of these; \(total) in all" }
        var table = TextTable(rows: [["DUE", "IN", "JOB", "ID", "QUEUE", "TRIES"]])
        for item in items {
            table.rows.append([
                item.dueAt.formatted(.iso8601), Self.distance(item.dueAt.timeIntervalSince(now)),
                item.name ?? "?", item.id ?? "?", item.queue, "\(item.retries)",
            ])
        }
        let more = next.map { "\nmore: backhaul delayed ls --after \($0)" } ?? ""
        return table.text + "\n\(total) in all" + more
    }

    /// Two units at most: `2d 3h`, `45s`; what is due already is `now`.
    static func distance(_ seconds: Double) -> String {
        guard seconds > 0 else { return "now" }
        let whole = Int(min(seconds, 1e12))
        let units = [
            ("d", whole / 86_400), ("h", whole / 3600 % 24), ("m", whole / 60 % 60),
            ("s", whole % 60),
        ]
        guard let first = units.firstIndex(where: { $0.1 > 0 }) else { return "1s" }
        return units[first...].prefix(2).filter { $0.1 > 0 }.map { "\($0.1)\($0.0)" }
            .joined(separator: " ")
    }
}

/// A job that waits, without its arguments.
struct DelayedSummary: Encodable {
    let id: String?
    let name: String?
    let queue: String
    let step: Int
    let dueAt: Date
    let expiresAt: Date?
    /// How often it was tried before.
    let retries: Int
    /// Its place, as `--after` takes it.
    let place: String

    enum CodingKeys: String, CodingKey {
        case id
        case name
        case queue
        case step
        case dueAt = "due_at"
        case expiresAt = "expires_at"
        case retries
        case place
    }

    init(_ job: DelayedJob) {
        id = job.message?.id.text
        name = job.message?.name.text
        queue = job.queue
        step = job.step
        dueAt = job.dueAt
        expiresAt = job.message?.expires
        retries = job.message?.retries ?? 0
        place = job.place.description
    }
}
