import ArgumentParser
import Foundation
import JobModel
import Store

/// `backhaul outbox show`.
struct OutboxShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one row in full, set aside or pending, with its arguments.",
        discussion: """
            Examples:
              backhaul outbox show ID
              backhaul outbox show ID -o json
            """)

    @Argument(help: "The job's id, as backhaul.enqueue returned it.")
    var id: String

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let details = try await shared.withOutbox { outbox, pool in
            let parked = try await outbox.parked(of: id, in: pool).map {
                RowDetail($0.row, reason: $0.reason, parkedAt: $0.parkedAt)
            }
            guard parked.isEmpty else { return parked }
            return try await outbox.pending(of: id, in: pool).map { [RowDetail($0)] } ?? []
        }
        guard let last = details.last else {
            throw CommandFailure(
                "no row of job \(id)",
                advice: "it was pushed, or rolled back; `backhaul job` knows of pushed ones")
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(last)
        case .text: print(details.map(\.text).joined(separator: "\n\n").withoutControls)
        }
    }
}

/// Everything that is known of one row.
struct RowDetail: Encodable {
    let id: String
    let job: String
    /// `parked` or `pending`.
    let state: String
    let reason: String?
    let parkedAt: Date?
    let queue: String?
    let priority: Int?
    let runAt: Date?
    let expiresAt: Date?
    let orderingKey: String?
    let createdAt: Date
    /// As they were written: they may be what cannot be read.
    let args: String
    let kwargs: String
    let headers: String

    private enum CodingKeys: String, CodingKey {
        case id
        case job
        case state
        case reason
        case parkedAt = "parked_at"
        case queue
        case priority
        case runAt = "run_at"
        case expiresAt = "expires_at"
        case orderingKey = "ordering_key"
        case createdAt = "created_at"
        case args
        case kwargs
        case headers
    }

    init(_ row: OutboxRow, reason: String? = nil, parkedAt: Date? = nil) {
        id = row.jobID
        job = row.name
        state = parkedAt == nil ? "pending" : "parked"
        self.reason = reason
        self.parkedAt = parkedAt
        queue = row.queue
        priority = row.priority
        runAt = row.runAt.flatMap(Self.date)
        expiresAt = row.expiresAt.flatMap(Self.date)
        orderingKey = row.orderingKey
        createdAt = Self.date(row.createdAt) ?? .distantPast
        args = row.args
        kwargs = row.kwargs
        headers = row.headers
    }

    private static func date(_ seconds: Double) -> Date? {
        seconds.isFinite ? Date(timeIntervalSince1970: seconds) : nil
    }

    var text: String {
        var rows = [
            ["job", job], ["id", id], ["state", parkedAt == nil ? "pending" : "set aside"],
        ]
        if let parkedAt { rows.append(["since", parkedAt.formatted(.iso8601)]) }
        if let reason { rows.append(["reason", reason.asOneLine]) }
        rows.append(["queue", queue ?? "the job's own"])
        rows.append(["written", createdAt.formatted(.iso8601)])
        if let priority { rows.append(["priority", "\(priority)"]) }
        if let runAt { rows.append(["not before", runAt.formatted(.iso8601)]) }
        if let expiresAt { rows.append(["not after", expiresAt.formatted(.iso8601)]) }
        if let orderingKey { rows.append(["order", orderingKey]) }
        if headers != "{}" { rows.append(["headers", headers.asOneLine]) }
        rows.append(["args", args.asOneLine])
        rows.append(["kwargs", kwargs.asOneLine])
        return TextTable(rows: rows).text
    }
}
