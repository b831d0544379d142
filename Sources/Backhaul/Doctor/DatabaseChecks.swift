import Foundation
import JobModel
import Logging
import Postgres
import Store

/// Whether PostgreSQL is there and its schema is the one this program knows.
struct DatabaseChecks: Sendable {
    let loaded: LoadedSettings
    let time: any TimeSource
    /// Worker processes that connect, as far as they are known; one at least.
    let processes: Int

    /// Of the connections that PostgreSQL gives: beyond this share there is no room to grow.
    static let fullServer = 0.8
    /// Jobs that may wait for one connection before the pool is too small for them.
    static let jobsEachConnection = 32

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
            let before = time.now
            let rows = try await pool.query(
                """
                select current_setting('server_version') as version,
                    pg_is_in_recovery() as standby,
                    to_regclass('backhaul_migrations') is not null as prepared,
                    extract(epoch from clock_timestamp())::float8 as clock,
                    current_setting('max_connections')::int4
                        - current_setting('superuser_reserved_connections')::int4 as connections
                """)
            let between = before.addingTimeInterval(time.now.timeIntervalSince(before) / 2)
            var checks: [DoctorCheck] = [.ok("database", "answers at \(address)")]
            for row in rows {
                checks.append(.ok("database version", try row["version"]))
                checks.append(Self.judge(isStandby: try row["standby"]))
                let clock: Double = try row["clock"]
                checks.append(Self.judge(clock: clock - between.timeIntervalSince1970))
                let settings = loaded.settings
                checks.append(
                    Self.judge(
                        connections: try row["connections"], pool: settings.database.poolSize,
                        processes: processes))
                checks.append(
                    Self.judge(
                        pool: settings.database.poolSize, concurrency: settings.worker.concurrency))
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

    /// `difference` is how far PostgreSQL is ahead, seconds.
    static func judge(clock difference: TimeInterval) -> DoctorCheck {
        let name = "database clock"
        guard abs(difference) <= RedisJudge.largestClockDifference else {
            let shown = abs(difference).formatted(.number.precision(.fractionLength(1)))
            return .warn(
                name, "PostgreSQL is \(shown) s \(difference > 0 ? "ahead" : "behind")",
                advice: "times of events and jobs do not fit together; let NTP set both clocks")
        }
        return .ok(name, "as here")
    }

    /// `connections` is how many PostgreSQL gives to those who are no superusers.
    static func judge(connections: Int, pool: Int, processes: Int) -> DoctorCheck {
        let name = "database connections"
        let found =
            "\(pool) for each of \(processes) worker process\(processes == 1 ? "" : "es"), "
            + "of \(connections) given"
        guard pool * processes <= connections else {
            return .fail(
                name, found,
                advice: "lower database.pool_size, run fewer processes, or raise max_connections")
        }
        guard Double(pool * processes) <= fullServer * Double(connections) else {
            return .warn(
                name, found,
                advice: "others need some too: lower database.pool_size or raise max_connections")
        }
        return .ok(name, found)
    }

    static func judge(pool: Int, concurrency: Int) -> DoctorCheck {
        let name = "database pool"
        let found = "\(pool) connections for \(concurrency) jobs at a time"
        guard concurrency <= pool * jobsEachConnection else {
            return .warn(
                name, found,
                advice: "jobs will wait for a connection, and time out: raise database.pool_size, "
                    + "or lower worker.concurrency")
        }
        guard pool <= concurrency else {
            return .warn(
                name, found,
                advice: "some are never used: lower database.pool_size to worker.concurrency")
        }
        return .ok(name, found)
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
