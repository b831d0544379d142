import ArgumentParser
import Foundation
import Store

/// `backhaul outbox discard`.
struct OutboxDiscard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Delete rows that were set aside for good: their jobs will not run.",
        discussion: """
            Asks, and the answer has to be typed; without a terminal it needs --yes, or
            refuses with exit code 64.

            Examples:
              backhaul outbox discard ID --dry-run
              backhaul outbox discard ID ID --yes
            """)

    @Argument(help: "The jobs' ids, as `ls` names them.")
    var ids: [String]

    @Flag(help: "Say how many would be deleted; delete nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard !(yes && dryRun) else {
            throw ValidationError("--yes and --dry-run contradict each other; give one.")
        }
        guard !ids.isEmpty, ids.count <= OutboxRetry.batch else {
            throw ValidationError("Name 1 to \(OutboxRetry.batch) rows.")
        }
    }

    func run() async throws {
        try await shared.withOutbox { outbox, pool in
            let found = try await ParkedSelection(ids, all: false).rows(of: outbox, in: pool)
            let noun = found.count == 1 ? "row" : "rows"
            if dryRun || found.isEmpty {
                print("would delete \(found.count) \(noun)")
                return try ParkedSelection.check(ids, found: found)
            }
            let isAgreed =
                try yes
                || Confirmation().isGiven(
                    for: "delete \(found.count) \(noun) of the outbox for good",
                    typing: "discard \(found.count)")
            guard isAgreed else {
                throw CommandFailure("nothing was deleted", advice: "repeat and type the words")
            }
            let gone = try await outbox.discard(found, in: pool)
            print("deleted \(gone.count) \(gone.count == 1 ? "row" : "rows")")
            try ParkedSelection.check(ids, found: gone)
        }
    }
}
