import ArgumentParser
import Foundation
import JobModel
import Postgres
import Store

/// `backhaul inbox list`.
struct InboxList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List messages that came in, the newest first.",
        discussion: """
            With --conflicts only ids that came again with another payload: those messages
            were not acted on. Ids are kept for retention.inbox_days.

            Examples:
              backhaul inbox list
              backhaul inbox list --source stripe --since 6h
              backhaul inbox list --conflicts -o json
            """,
        aliases: ["ls"])

    @Option(help: ArgumentHelp("Only messages of this source.", valueName: "name"))
    var source: String?

    @Option(help: ArgumentHelp("Only messages that caused this job.", valueName: "name"))
    var job: String?

    @Option(
        help: ArgumentHelp(
            "Only what came since then: 2h, 7d, or 2026-11-24T08:00:00Z.", valueName: "time"))
    var since: String?

    @Flag(help: "Only ids that came with more than one payload.")
    var conflicts = false

    @Option(help: "Show this many at most, 1 to 10000.")
    var limit = 50

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 10000, not \(limit)")
        }
        _ = try filter(now: Date(timeIntervalSince1970: 0))
    }

    private func filter(now: Date) throws -> InboxFilter {
        var filter = InboxFilter()
        filter.source = source
        filter.job = job
        filter.since = try since.map { try GraveFilters.time($0, flag: "--since", now: now) }
        filter.onlyConflicts = conflicts
        return filter
    }

    func run() async throws {
        let filter = try filter(now: SystemTime().now)
        // One more than shown tells whether there are more.
        let found = try await shared.withInbox { records throws(PostgresError) in
            try await records.list(filter, limit: limit + 1)
        }
        let listing = InboxListing(found, limit: limit)
        switch format.output {
        case .json: try OutputOptions.printJSON(listing)
        case .text: print(listing.text.withoutControls)
        }
    }
}

/// Messages that came in, as they are printed.
struct InboxListing: Encodable {
    let items: [InboxSummary]
    /// Whether there are more than were asked for.
    let more: Bool

    init(_ records: [InboxRecord], limit: Int) {
        items = records.prefix(limit).map(InboxSummary.init)
        more = records.count > limit
    }

    var text: String {
        guard !items.isEmpty else { return "no messages" }
        var table = TextTable(
            rows: [["RECEIVED", "SOURCE", "MESSAGE", "JOB", "JOB ID", "CONFLICTS"]])
        for item in items { table.rows.append(item.row) }
        var lines = [table.text]
        if more { lines.append("there are more; raise --limit") }
        if items.contains(where: { $0.conflicts > 0 }) {
            lines.append("about a conflict: backhaul inbox show SOURCE MESSAGE")
        }
        return lines.joined(separator: "\n")
    }
}

/// One message that came in.
struct InboxSummary: Encodable {
    let source: String
    let id: String
    let receivedAt: Date
    let job: String
    let jobID: String
    let payloadSHA256: String?
    let conflicts: Int
    let conflictSHA256: String?
    let conflictAt: Date?

    private enum CodingKeys: String, CodingKey {
        case source
        case id = "message_id"
        case receivedAt = "received_at"
        case job
        case jobID = "job_id"
        case payloadSHA256 = "payload_sha256"
        case conflicts
        case conflictSHA256 = "conflict_sha256"
        case conflictAt = "conflict_at"
    }

    init(_ record: InboxRecord) {
        source = record.source
        id = record.id
        receivedAt = record.receivedAt
        job = record.job
        jobID = record.jobID
        payloadSHA256 = record.digest
        conflicts = record.conflicts
        conflictSHA256 = record.conflictDigest
        conflictAt = record.conflictAt
    }

    var row: [String] {
        [
            receivedAt.formatted(.iso8601), source.asOneLine, id.asOneLine, job, jobID,
            conflicts == 0 ? "-" : "\(conflicts)",
        ]
    }

    /// Everything, a line each, and what to do about a conflict.
    var text: String {
        var table = TextTable(rows: [
            ["source", source.asOneLine], ["message", id.asOneLine],
            ["received", receivedAt.formatted(.iso8601)], ["job", job], ["job id", jobID],
            ["payload", payloadSHA256.map { "sha256 \($0)" } ?? "not given"],
            ["conflicts", "\(conflicts)"],
        ])
        guard let conflictAt, let conflictSHA256 else { return table.text }
        table.rows.append([
            "last conflict", "\(conflictAt.formatted(.iso8601)), sha256 \(conflictSHA256)",
        ])
        return table.text
            + "\nthe id came again with another payload, which was not acted on: ask the sender"
    }
}
