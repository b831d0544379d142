import ArgumentParser
import Foundation
import Postgres
import Store

/// `backhaul outbox retry`.
struct OutboxRetry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Put rows that were set aside back into the outbox, under their job ids.",
        discussion: """
            A relay pushes them, or sets them aside again. Rows with an ordering key go
            behind what has been written under it meanwhile.

            Examples:
              backhaul outbox retry ID ID
              backhaul outbox retry --all --dry-run
              backhaul outbox retry --all
            """)

    /// The most rows put back in one transaction.
    static let batch = 1000

    @Argument(help: "The jobs' ids, as `ls` names them.")
    var ids: [String] = []

    @Flag(help: "All that were set aside.")
    var all = false

    @Flag(help: "Say what would be put back; change nothing.")
    var dryRun = false

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard ids.isEmpty == all else {
            throw ValidationError("Name rows, or give --all; not both.")
        }
        guard ids.count <= Self.batch else {
            throw ValidationError("Name \(Self.batch) rows at most, or give --all.")
        }
    }

    func run() async throws {
        try await shared.withOutbox { outbox, pool in
            if dryRun {
                let found = try await ParkedSelection(ids, all: all).rows(of: outbox, in: pool)
                print("would put back \(found.count) \(found.count == 1 ? "row" : "rows")")
                return try ParkedSelection.check(ids, found: found)
            }
            var done: [String] = []
            // A row that is set aside again meanwhile is not taken a second time.
            let limit = try await outbox.status(in: pool).parked
            repeat {
                let moved = try await outbox.retry(all ? nil : ids, limit: Self.batch, in: pool)
                done += moved
                if moved.count < Self.batch { break }
            } while done.count < limit
            print("put back \(done.count) \(done.count == 1 ? "row" : "rows")")
            try ParkedSelection.check(ids, found: done)
        }
    }
}

/// Rows that were set aside, as a command names them.
struct ParkedSelection {
    /// The most rows that --dry-run looks at.
    static let limit = 100_000

    let ids: [String]
    let all: Bool

    init(_ ids: [String], all: Bool) {
        self.ids = ids
        self.all = all
    }

    /// The ids of those that are there.
    func rows(of outbox: OutboxRepository, in pool: PostgresPool) async throws -> [String] {
        guard !all else {
            return try await outbox.parked(limit: Self.limit, in: pool).map(\.row.jobID)
        }
        var found: [String] = []
        for id in ids { found += try await outbox.parked(of: id, in: pool).map(\.row.jobID) }
        return found
    }

    /// Complains about those that were named and not found.
    static func check(_ ids: [String], found: [String]) throws {
        let missing = Set(ids).subtracting(found).sorted()
        guard missing.isEmpty else {
            throw CommandFailure(
                "not set aside: \(missing.prefix(5).joined(separator: ", "))",
                advice: OutboxCommand.listAdvice)
        }
    }
}
