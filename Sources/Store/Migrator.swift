import Foundation
package import Postgres

/// Moves a database's schema forth and back.
///
/// Every migration runs in a transaction of its own together with its record, under an advisory
/// lock, so that any number of migrators may start at once and each migration is applied once.
/// The pool's statement timeout bounds each statement, and the wait for another migrator.
package struct Migrator: Sendable {
    private let pool: PostgresPool
    private let migrations: [Migration]

    /// Names the advisory lock; any constant that nothing else uses.
    private static let lockName = "backhaul:migrations"

    /// Makes a migrator; the versions must rise.
    package init(pool: PostgresPool, migrations: [Migration] = Migrations.all) {
        precondition(
            zip(migrations, migrations.dropFirst()).allSatisfy { $0.version < $1.version },
            "migrations are listed in the order of their versions, each once")
        self.pool = pool
        self.migrations = migrations
    }

    /// Says of every migration, known or applied, where it stands; in the order of versions.
    package func status() async throws(MigrationError) -> [MigrationStatus] {
        try await locked { transaction in
            let applied = try await records(transaction)
            let checksums = try await checksums(transaction)
            return Self.merge(migrations, checksums: checksums, applied: applied)
        }
    }

    /// Applies what is pending, up to a version if one is given, and returns what it applied.
    package func up(to target: Int? = nil) async throws(MigrationError) -> [Migration] {
        var done: [Migration] = []
        while let migration = try await applyNext(to: target ?? .max) { done.append(migration) }
        return done
    }

    /// Takes the newest migrations back and returns them, the newest first.
    package func down(steps: Int = 1) async throws(MigrationError) -> [Migration] {
        precondition(steps >= 0, "a number of steps is not negative")
        var done: [Migration] = []
        while done.count < steps, let migration = try await revertNewest() {
            done.append(migration)
        }
        return done
    }

    // MARK: Steps

    private func applyNext(to target: Int) async throws(MigrationError) -> Migration? {
        try await locked { transaction in
            let applied = try await records(transaction)
            let checksums = try await checksums(transaction)
            try verify(applied, checksums: checksums)
            let known = Set(applied.map(\.version))
            let pending = zip(migrations, checksums).first { !known.contains($0.0.version) }
            guard let (migration, checksum) = pending, migration.version <= target else {
                return nil
            }
            if let newest = applied.last, newest.version > migration.version {
                throw MigrationError(
                    .outOfOrder, version: migration.version,
                    "is missing although \(newest.version) is applied")
            }
            try await run(migration.up, of: migration, in: transaction)
            _ = try await transaction.query(
                """
                insert into backhaul_migrations (version, name, checksum)
                values (\(migration.version), \(migration.name), \(checksum))
                """)
            return migration
        }
    }

    private func revertNewest() async throws(MigrationError) -> Migration? {
        try await locked { transaction in
            let applied = try await records(transaction)
            try verify(applied, checksums: try await checksums(transaction))
            guard let newest = applied.last,
                let migration = migrations.first(where: { $0.version == newest.version })
            else { return nil }
            guard !migration.down.isEmpty else {
                throw MigrationError(
                    .irreversible, version: migration.version, "has no way back")
            }
            try await run(migration.down, of: migration, in: transaction)
            _ = try await transaction.query(
                "delete from backhaul_migrations where version = \(migration.version)")
            return migration
        }
    }

    private func run(
        _ script: [UInt8], of migration: Migration, in transaction: PostgresTransaction
    ) async throws {
        do {
            try await transaction.script(
                PostgresQuery(
                    trustedSQL: String(decoding: script, as: UTF8.self),
                    name: "migration.\(migration.version)"))
        } catch {
            throw MigrationError(
                .failed, version: migration.version, error.message, underlying: error)
        }
    }

    /// Refuses to build on a history that is not this program's.
    private func verify(_ applied: [Record], checksums: [String]) throws(MigrationError) {
        for status in Self.merge(migrations, checksums: checksums, applied: applied) {
            switch status.state {
            case .pending, .applied:
                continue
            case .changed:
                throw MigrationError(
                    .checksumMismatch, version: status.version,
                    "\(status.name) was edited after it had been applied; add a new one instead")
            case .unknown:
                throw MigrationError(
                    .unknownVersion, version: status.version,
                    "\(status.name) was applied by a newer program")
            }
        }
    }

    // MARK: Records

    private struct Record {
        let version: Int
        let name: String
        let checksum: String
        let appliedAt: Date
    }

    private static func merge(
        _ migrations: [Migration], checksums: [String], applied: [Record]
    ) -> [MigrationStatus] {
        var records = Dictionary(uniqueKeysWithValues: applied.map { ($0.version, $0) })
        var statuses = zip(migrations, checksums).map { migration, checksum in
            let state: MigrationStatus.State
            if let record = records.removeValue(forKey: migration.version) {
                state =
                    record.checksum == checksum
                    ? .applied(at: record.appliedAt) : .changed(appliedAt: record.appliedAt)
            } else {
                state = .pending
            }
            return MigrationStatus(
                version: migration.version, name: migration.name, state: state)
        }
        for record in records.values {
            statuses.append(
                MigrationStatus(
                    version: record.version, name: record.name,
                    state: .unknown(appliedAt: record.appliedAt)))
        }
        return statuses.sorted { $0.version < $1.version }
    }

    private func records(_ transaction: PostgresTransaction) async throws -> [Record] {
        let rows = try await transaction.query(
            "select version, name, checksum, applied_at from backhaul_migrations order by version")
        return try rows.map { row in
            Record(
                version: try row["version"], name: try row["name"],
                checksum: try row["checksum"], appliedAt: try row["applied_at"])
        }
    }

    /// The SHA-256 of each script that applies, as `sha256sum` prints it; the server computes it.
    private func checksums(_ transaction: PostgresTransaction) async throws -> [String] {
        let rows = try await transaction.query(
            """
            select encode(sha256(script), 'hex') as checksum
            from unnest(\(migrations.map(\.up))) with ordinality as scripts (script, place)
            order by place
            """)
        return try rows.map { row in try row["checksum"] }
    }

    /// Takes the schema `backhaul` out of the search path until the transaction ends.
    ///
    /// PostgreSQL looks first in a schema named like the role, and creates there. For a role of that
    /// name everything would move on the day migration 6 makes the schema, this table included.
    private func leaveOwnSchema(_ transaction: PostgresTransaction) async throws {
        _ = try await transaction.query(
            """
            select set_config('search_path', string_agg(quote_ident(name), ', ' order by place), true)
            from unnest(current_schemas(false)) with ordinality as schemas (name, place)
            where name <> 'backhaul'
            having count(*) > 0
            """)
    }

    /// Runs `body` in a transaction that no other migrator shares the time of.
    private func locked<Value: Sendable>(
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws(MigrationError) -> Value {
        do {
            return try await pool.transaction { transaction in
                _ = try await transaction.query(
                    "select pg_advisory_xact_lock(hashtextextended(\(Self.lockName), 0))")
                try await leaveOwnSchema(transaction)
                _ = try await transaction.query(
                    """
                    create table if not exists backhaul_migrations (
                        version bigint primary key,
                        name text not null,
                        checksum text not null,
                        applied_at timestamptz not null default now()
                    )
                    """)
                return try await body(transaction)
            }
        } catch let error as MigrationError {
            throw error
        } catch let error as PostgresError {
            throw MigrationError(.failed, version: nil, error.message, underlying: error)
        } catch {
            throw MigrationError(.failed, version: nil, "was interrupted", underlying: error)
        }
    }
}
