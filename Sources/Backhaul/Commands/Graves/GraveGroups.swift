import ArgumentParser
import Broker
import Foundation

/// `backhaul dead groups` and `backhaul quarantine groups`.
struct GraveGroups<Kind: GraveKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        GraveConfiguration.verb(
            "groups", Kind.self, abstract: "Group GRAVE by what failed, the largest group first.",
            discussion: """
                A group is one job, one code, one type of error, and one message but for
                numbers, ids and what is quoted. Its fingerprint is what --group takes.

                Examples:
                  backhaul GRAVE groups
                  backhaul GRAVE groups --since 24h -o json
                """)
    }

    @Option(help: "Look at this many entries at most, newest first; 1 to 10000000.")
    var limit = 100_000

    @OptionGroup var filters: GraveFilters
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...10_000_000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 10000000, not \(limit)")
        }
    }

    func run() async throws {
        let filter = try filters.filter()
        let census = try await shared.withBroker { broker in
            var census = GroupCensus(total: try await broker.count(of: Kind.grave))
            var scan = broker.scan(Kind.grave, filter)
            while scan.seen < limit {
                let records = try await scan.next(lookingAt: limit - scan.seen)
                if records.isEmpty { break }
                for record in records { census.add(record) }
            }
            census.looked = scan.seen
            census.isComplete = scan.isAtEnd || scan.seen >= census.total
            return census
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(census.report)
        case .text: print(census.text(Kind.grave).withoutControls)
        }
    }
}

/// Failures of one kind.
struct FailureGroup: Encodable, Sendable, Equatable {
    let fingerprint: String
    let job: String?
    let code: String
    let type: String
    /// The message of the newest.
    let message: String
    var count: Int
    var first: Date
    var last: Date
    /// The newest entry, to be looked at.
    let example: String
}

/// Counts groups while entries go by, newest first.
struct GroupCensus: Sendable {
    /// The most groups told apart; what comes after is counted as `other`.
    static let maximumGroups = 10_000

    let total: Int
    var looked = 0
    var isComplete = true
    private var groups: [FailureFingerprint: FailureGroup] = [:]
    private(set) var other = 0

    init(total: Int) { self.total = total }

    mutating func add(_ record: BuriedRecord) {
        guard let message = record.message else {
            other += 1
            return
        }
        let fingerprint = message.fingerprint
        if var group = groups[fingerprint] {
            group.count += 1
            group.first = min(group.first, message.buriedAt)
            group.last = max(group.last, message.buriedAt)
            groups[fingerprint] = group
        } else if groups.count < Self.maximumGroups {
            groups[fingerprint] = FailureGroup(
                fingerprint: fingerprint.text, job: message.name, code: message.code,
                type: message.type, message: message.message, count: 1, first: message.buriedAt,
                last: message.buriedAt, example: record.entry)
        } else {
            other += 1
        }
    }

    /// The largest first; of equal ones the most recent.
    var sorted: [FailureGroup] {
        groups.values.sorted {
            ($0.count, $0.last, $0.fingerprint) > ($1.count, $1.last, $1.fingerprint)
        }
    }

    struct Report: Encodable {
        let groups: [FailureGroup]
        let total: Int
        let looked: Int
        let other: Int
        let complete: Bool
    }

    var report: Report {
        Report(groups: sorted, total: total, looked: looked, other: other, complete: isComplete)
    }

    func text(_ grave: Grave) -> String {
        guard !groups.isEmpty || other > 0 else { return "nothing in \(grave.rawValue)" }
        var table = TextTable(rows: [["COUNT", "GROUP", "JOB", "FIRST", "LAST", "REASON"]])
        for group in sorted {
            table.rows.append([
                "\(group.count)", group.fingerprint, group.job ?? "?",
                group.first.formatted(.iso8601), group.last.formatted(.iso8601),
                "\(group.code): \(group.message.asOneLine.prefix(100))",
            ])
        }
        var lines = [table.text]
        if other > 0 { lines.append("\(other) more in no group") }
        if !isComplete {
            lines.append(
                "looked at the newest \(looked) of \(total); --limit looks at more")
        }
        return lines.joined(separator: "\n")
    }
}
