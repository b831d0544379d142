import ArgumentParser
import Foundation
import Store

/// `backhaul outbox ls`.
struct OutboxList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List rows that were set aside with the reasons, newest first.",
        discussion: """
            Arguments are not shown; `show` shows them.

            Examples:
              backhaul outbox ls
              backhaul outbox ls --limit 1000 -o json
            """,
        aliases: ["list"])

    @Option(help: "Show this many at most, 1 to 10000.")
    var limit = 50

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 10000, not \(limit)")
        }
    }

    func run() async throws {
        let rows = try await shared.withOutbox { outbox, pool in
            // One more, to know whether there are.
            try await outbox.parked(limit: limit + 1, in: pool)
        }
        let listing = ParkedListing(rows, limit: limit)
        switch format.output {
        case .json: try OutputOptions.printJSON(listing)
        case .text: print(listing.text.withoutControls)
        }
    }
}

/// Rows that were set aside, as they are printed.
struct ParkedListing: Encodable {
    struct Item: Encodable {
        let id: String
        let job: String
        /// Null for the job's own.
        let queue: String?
        let reason: String
        let parkedAt: Date

        private enum CodingKeys: String, CodingKey {
            case id
            case job
            case queue
            case reason
            case parkedAt = "parked_at"
        }
    }

    let items: [Item]
    let more: Bool

    init(_ rows: [ParkedRow], limit: Int) {
        items = rows.prefix(limit).map {
            Item(
                id: $0.row.jobID, job: $0.row.name, queue: $0.row.queue, reason: $0.reason,
                parkedAt: $0.parkedAt)
        }
        more = rows.count > limit
    }

    var text: String {
        guard !items.isEmpty else { return "nothing was set aside" }
        var table = TextTable(rows: [["WHEN", "JOB", "ID", "QUEUE", "REASON"]])
        for item in items {
            table.rows.append([
                item.parkedAt.formatted(.iso8601), item.job, item.id, item.queue ?? "its own",
                String(item.reason.asOneLine.prefix(100)),
            ])
        }
        return table.text + (more ? "\nthere are more; raise --limit" : "")
    }
}
