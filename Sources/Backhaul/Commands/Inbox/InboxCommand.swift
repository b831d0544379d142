import ArgumentParser
import Foundation
import Postgres
import Store

/// `backhaul inbox`: messages from outside, by their senders' ids.
struct InboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inbox",
        abstract: "Look at messages from outside: which came, and which job each caused.",
        discussion: """
            Messages are recorded by the SQL function backhaul.receive, each once, with the
            job they cause. Both commands only look.

            Examples:
              backhaul inbox list
              backhaul inbox list --conflicts
              backhaul inbox show stripe evt_1NG8Du2eZvKYlo2CUI79vXWy
            """,
        subcommands: [InboxList.self, InboxShow.self])
}

extension SharedOptions {
    /// Runs `body` with the records of the inbox; the connection is closed afterwards.
    ///
    /// - Throws: `CommandFailure` when the database cannot be reached, or has no inbox.
    func withInbox<Value: Sendable>(
        _ body: (InboxRecords) async throws(PostgresError) -> Value
    ) async throws -> Value {
        try await withDatabase(absence: "the database has no inbox") { pool in
            try await body(InboxRecords(pool: pool))
        }
    }
}
