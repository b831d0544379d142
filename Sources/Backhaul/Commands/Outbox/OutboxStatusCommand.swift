import ArgumentParser
import Foundation
import Store

/// `backhaul outbox status`.
struct OutboxStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say how many rows wait, how long the oldest has, and how many were set aside.",
        discussion: """
            With a relay at work the oldest row waits for less than a second.

            Examples:
              backhaul outbox status
              backhaul outbox status -o json
            """)

    @Option(help: "Show this many jobs and queues at most, 1 to 1000.")
    var limit = 20

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...1000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 1000, not \(limit)")
        }
    }

    func run() async throws {
        let report = try await shared.withOutbox { outbox, pool in
            OutboxReport(
                try await outbox.status(in: pool),
                groups: try await outbox.groups(limit: limit, in: pool))
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(report)
        case .text: print(report.text.withoutControls)
        }
    }
}

/// How the outbox stands, as it is printed.
struct OutboxReport: Encodable {
    struct Group: Encodable {
        let job: String
        /// Null for the job's own.
        let queue: String?
        let pending: Int
        let parked: Int
    }

    let pending: Int
    let oldestSeconds: Double?
    let parked: Int
    let groups: [Group]

    private enum CodingKeys: String, CodingKey {
        case pending
        case oldestSeconds = "oldest_s"
        case parked
        case groups
    }

    init(_ status: OutboxStatus, groups: [OutboxGroup]) {
        pending = status.pending
        oldestSeconds = status.oldest.map {
            (Double($0.components.seconds) * 1000
                + Double($0.components.attoseconds / 1_000_000_000_000_000)) / 1000
        }
        parked = status.parked
        self.groups = groups.map {
            Group(job: $0.job, queue: $0.queue, pending: $0.pending, parked: $0.parked)
        }
    }

    var text: String {
        let oldest = oldestSeconds.map { ", the oldest for \(Duration.seconds($0).roughly)" } ?? ""
        var lines = ["\(Self.count(pending)) pending\(oldest)", "\(Self.count(parked)) set aside"]
        if parked > 0 { lines[1] += ": `backhaul outbox ls` shows why" }
        if !groups.isEmpty {
            var table = TextTable(rows: [["JOB", "QUEUE", "PENDING", "SET ASIDE"]])
            for group in groups {
                table.rows.append([
                    group.job, group.queue ?? "its own", "\(group.pending)", "\(group.parked)",
                ])
            }
            lines += ["", table.text]
        }
        return lines.joined(separator: "\n")
    }

    private static func count(_ number: Int) -> String {
        number < OutboxRepository.countLimit ? "\(number)" : "\(number) or more"
    }
}
