import Mailbox

/// How much of other transactions a transaction sees; see the manual, 13.2.
package enum PostgresIsolation: String, Sendable {
    case readCommitted = "read committed"
    case repeatableRead = "repeatable read"
    case serializable
}

/// The open transaction that ``PostgresPool/transaction(isolation:_:)`` hands to its body.
///
/// Its statements run one call after another. Used after the body has returned, it throws
/// `transactionState`.
package struct PostgresTransaction: Sendable {
    let scope: TransactionScope

    /// Runs one statement.
    package func query(_ query: PostgresQuery) async throws(PostgresError) -> PostgresRows {
        let results = try await batch([query])
        return results[0]
    }

    /// Runs statements in one round trip.
    package func batch(_ queries: [PostgresQuery]) async throws(PostgresError) -> [PostgresRows] {
        guard !queries.isEmpty else { return [] }
        return try await scope.run(queries)
    }

    /// Sends a statement together with the commit, which spares it a round trip.
    ///
    /// It runs iff the body returns; if it fails, nothing is committed and its error is thrown. For
    /// transactions that ran a statement before.
    package func atCommit(_ query: PostgresQuery) throws(PostgresError) {
        try scope.append(atCommit: query)
    }

    /// Runs a script of several statements that is part of the program, such as a migration.
    ///
    /// The script must leave the transaction open.
    package func script(_ script: PostgresQuery) async throws(PostgresError) {
        precondition(script.parameters.isEmpty, "a script has no parameters")
        try await scope.runScript(script)
    }
}

/// The state of one transaction: not begun, open, over.
///
/// `BEGIN` travels with the first statement, under the same sync: one round trip less, and if it
/// failed the statement would not run. A transaction without statements never reaches the server.
final class TransactionScope: Sendable {
    private enum Phase {
        case new
        case open
        case over
    }

    private let connection: PostgresConnection
    private let lease: UInt64
    private let isolation: PostgresIsolation
    private let phase = Locked(Phase.new)
    /// Sent with the commit.
    private let closing = Locked<[PostgresQuery]>([])
    /// Whether a statement failed: the server answers a commit with a rollback, and all else with
    /// an error.
    private let hasFailed = Locked(false)

    init(connection: PostgresConnection, lease: UInt64, isolation: PostgresIsolation) {
        self.connection = connection
        self.lease = lease
        self.isolation = isolation
    }

    private var begin: PostgresQuery {
        PostgresQuery(
            trustedSQL: "begin isolation level \(isolation.rawValue)", name: "transaction.begin")
    }

    func run(_ queries: [PostgresQuery]) async throws(PostgresError) -> [PostgresRows] {
        let begins = try beginsNow()
        do throws(PostgresError) {
            let results = try await connection.run(
                begins ? [begin] + queries : queries,
                place: Submission.Place(lease: lease, begins: begins))
            return begins ? Array(results.dropFirst()) : results
        } catch {
            hasFailed.withLock { $0 = true }
            throw error
        }
    }

    func append(atCommit query: PostgresQuery) throws(PostgresError) {
        guard phase.withLock({ $0 == .open }) else {
            throw PostgresError(.transactionState, "the transaction is not open")
        }
        closing.withLock { $0.append(query) }
    }

    func runScript(_ script: PostgresQuery) async throws(PostgresError) {
        if try beginsNow() {
            _ = try await connection.run(
                [begin], place: Submission.Place(lease: lease, begins: true))
        }
        _ = try await connection.run(
            [script], form: .script, place: Submission.Place(lease: lease))
    }

    /// Whether the caller is the first, and must begin.
    private func beginsNow() throws(PostgresError) -> Bool {
        try phase.withLock { (phase) throws(PostgresError) in
            guard phase != .over else {
                throw PostgresError(.transactionState, "the transaction is over")
            }
            defer { phase = .open }
            return phase == .new
        }
    }

    /// Commits what was begun; not cancellable, so that its outcome is known if at all possible.
    func commit() async throws(PostgresError) {
        guard end() else { return }
        let last = hasFailed.withLock { $0 } ? [] : closing.withLock { $0 }
        let results = try await connection.run(
            last + [PostgresQuery(trustedSQL: "commit", name: "transaction.commit")],
            place: Submission.Place(lease: lease, ends: true), isCancellable: false)
        guard results.last?.command == "COMMIT" else {
            throw PostgresError(
                .transactionState, "rolled back, because a statement had failed",
                sqlState: .inFailedSQLTransaction)
        }
    }

    /// Rolls back what was begun and not ended; a failure means that there is nothing left to undo.
    ///
    /// A cancelled task does not wait for that: whoever stops a program must not depend on a server
    /// that hangs.
    func rollback() async {
        guard end() else { return }
        let rollback = PostgresQuery(trustedSQL: "rollback", name: "transaction.rollback")
        let place = Submission.Place(lease: lease, ends: true)
        guard !Task.isCancelled else { return connection.post([rollback], place: place) }
        _ = try? await connection.run([rollback], place: place, isCancellable: false)
    }

    /// Ends the scope; true if the server has something to end.
    private func end() -> Bool {
        phase.withLock { phase in
            defer { phase = .over }
            return phase == .open
        }
    }
}
