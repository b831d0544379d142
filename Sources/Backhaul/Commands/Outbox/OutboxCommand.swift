import ArgumentParser
import Postgres
import Store

/// `backhaul outbox`: jobs on their way from transactions to their queues.
struct OutboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox",
        abstract: "Look at jobs that transactions enqueued, and at rows that were set aside.",
        discussion: """
            A row that cannot be pushed as it is, is set aside with its reason; the rest
            goes on. Mend the cause, or the row in backhaul.outbox_parked, and `retry` it.

            Examples:
              backhaul outbox status
              backhaul outbox ls
              backhaul outbox show ID
              backhaul outbox retry --all --dry-run
              backhaul outbox discard ID

            ID is the job's id, as backhaul.enqueue returned it.
            Exit codes: 0 done; 1 not, or only in part, and the last line says what to do;
            64 wrong usage; 78 wrong settings.
            """,
        subcommands: [
            OutboxStatusCommand.self, OutboxList.self, OutboxShow.self, OutboxRetry.self,
            OutboxDiscard.self,
        ])
}

extension SharedOptions {
    /// Runs `body` with the outbox, on a connection that is closed afterwards.
    ///
    /// - Throws: `CommandFailure` for what PostgreSQL refuses, and what `body` throws.
    func withOutbox<Value: Sendable>(
        _ body: (OutboxRepository, PostgresPool) async throws -> Value
    ) async throws -> Value {
        try await withDatabase(absence: "the database has no outbox") { pool in
            try await body(OutboxRepository(), pool)
        }
    }
}

extension OutboxCommand {
    /// What an operator does who finds nothing under an id.
    static let listAdvice = "`backhaul outbox ls` shows what was set aside"
}
