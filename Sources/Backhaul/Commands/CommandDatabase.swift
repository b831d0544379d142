import Logging
import Postgres
import Store

extension LoadedSettings {
    /// Runs `body` with a migrator whose pool is shut down afterwards.
    ///
    /// - Throws: `CommandFailure` when the database cannot be reached, and what `body` throws.
    func withMigrator<Value: Sendable>(
        statementTimeout: Duration? = nil, logger: Logger,
        _ body: (Migrator) async throws -> Value
    ) async throws -> Value {
        let url: Secret
        do { url = try databaseURL() } catch { throw error.exit() }
        var options = settings.database.options(url: url)
        options.poolSize = 1
        options.statementTimeout = statementTimeout ?? options.statementTimeout
        let pool = PostgresPool(options: options, logger: logger)
        let outcome: Swift.Result<Value, any Error>
        do { outcome = .success(try await body(Migrator(pool: pool))) } catch {
            outcome = .failure(error)
        }
        await pool.shutdown()
        do { return try outcome.get() } catch let error as MigrationError {
            // Without a version the trouble is the database's, not a migration's.
            guard error.version == nil, let cause = error.underlying as? PostgresError else {
                throw error
            }
            throw CommandFailure(cause, address: options.address)
        }
    }
}

extension SharedOptions {
    /// Runs `body` with a connection that is closed afterwards; a table that is missing is told as
    /// `absence`.
    ///
    /// - Throws: `CommandFailure` for what PostgreSQL refuses, and what `body` throws.
    func withDatabase<Value: Sendable>(
        absence: String, _ body: (PostgresPool) async throws -> Value
    ) async throws -> Value {
        let loaded = try load()
        let url: Secret
        do { url = try loaded.databaseURL() } catch { throw error.exit() }
        var options = loaded.settings.database.options(url: url)
        options.poolSize = 1
        let pool = PostgresPool(options: options, logger: .quiet)
        let outcome: Swift.Result<Value, any Error>
        do { outcome = .success(try await body(pool)) } catch { outcome = .failure(error) }
        await pool.shutdown()
        do { return try outcome.get() } catch let error as PostgresError {
            guard error.sqlState != .undefinedTable else {
                throw CommandFailure(absence, advice: "run `backhaul migrate up`")
            }
            throw CommandFailure(error, address: options.address)
        }
    }
}

extension Logger {
    /// For commands whose output says everything: what fails is reported once, not logged as well.
    static var quiet: Logger {
        Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
    }
}
