import Logging
import Postgres
import Store

/// Whether PostgreSQL is there and its schema is the one this program knows.
struct DatabaseChecks: Sendable {
    let loaded: LoadedSettings

    /// Runs every check; the first failure to reach the server ends them.
    func run() async -> [DoctorCheck] {
        guard let url = loaded.settings.database.url else {
            return [
                .fail(
                    "database", "database.url is not set",
                    advice:
                        "set DATABASE_URL=postgresql://host/database; worker and migrate need it")
            ]
        }
        let pool = PostgresPool(
            options: loaded.settings.database.options(url: url), logger: .quiet)
        let checks = await run(pool)
        await pool.shutdown()
        return checks
    }

    private func run(_ pool: PostgresPool) async -> [DoctorCheck] {
        let address = pool.options.address
        do throws(PostgresError) {
            let rows = try await pool.query(
                """
                select current_setting('server_version') as version,
                    pg_is_in_recovery() as standby,
                    to_regclass('backhaul_migrations') is not null as prepared
                """)
            var checks: [DoctorCheck] = [.ok("database", "answers at \(address)")]
            for row in rows {
                checks.append(.ok("database version", try row["version"]))
                checks.append(Self.judge(isStandby: try row["standby"]))
                // Asking the migrator would make its table, and a doctor changes nothing.
                checks.append(
                    try row["prepared"]
                        ? await migrations(Migrator(pool: pool), address)
                        : .fail(
                            "migrations", "the database is empty",
                            advice: "run: backhaul migrate up"))
            }
            return checks
        } catch {
            let failure = CommandFailure(error, address: address)
            return [.fail("database", failure.message, advice: failure.advice)]
        }
    }

    private func migrations(_ migrator: Migrator, _ address: String) async -> DoctorCheck {
        do throws(MigrationError) {
            return Self.judge(try await migrator.status().map { ($0.version, $0.state) })
        } catch {
            return .fail(
                "migrations", "\(error)", advice: "does the user own the database \(address)?")
        }
    }

    static func judge(isStandby: Bool) -> DoctorCheck {
        isStandby
            ? .fail(
                "database role", "standby", advice: "a standby takes no writes; name the primary")
            : .ok("database role", "primary")
    }

    static func judge(
        _ statuses: [(version: Int, state: MigrationStatus.State)]
    ) -> DoctorCheck {
        func versions(_ word: String) -> String? {
            let found = statuses.filter { $0.state.word == word }.map { String($0.version) }
            return found.isEmpty ? nil : found.joined(separator: ", ")
        }
        if let changed = versions("changed") {
            return .fail(
                "migrations", "edited after they were applied: \(changed)",
                advice: "restore their scripts and add a new migration instead")
        }
        if let pending = versions("pending") {
            return .fail("migrations", "pending: \(pending)", advice: "run: backhaul migrate up")
        }
        if let unknown = versions("unknown") {
            return .fail(
                "migrations", "of a newer program: \(unknown)",
                advice: "run the version of backhaul that applied them")
        }
        return .ok("migrations", "\(statuses.count) applied, none pending")
    }
}
