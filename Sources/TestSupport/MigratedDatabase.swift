package import Postgres
import Store

/// A database with the whole schema, copied for each test from one that was migrated once.
package enum MigratedDatabase {
    /// Runs `body` with a pool on a fresh copy.
    package static func with<Value: Sendable>(
        _ body: (PostgresPool) async throws -> Value
    ) async throws -> Value {
        let template = try await Template.shared.name()
        return try await PostgresServer.shared.withPool(template: template) { pool in
            try await body(pool)
        }
    }
}

/// The database to copy.
private actor Template {
    static let shared = Template()

    private var made: String?
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var isMaking = false

    func name() async throws -> String {
        while isMaking {
            await withCheckedContinuation { waiters.append($0) }
        }
        if let made { return made }
        isMaking = true
        defer {
            isMaking = false
            for waiter in waiters { waiter.resume() }
            waiters = []
        }
        let url = try await PostgresServer.shared.makeDatabase()
        let pool = PostgresServer.pool(url)
        _ = try await Migrator(pool: pool).up()
        await pool.shutdown()
        let name = String(url.split(separator: "/").last ?? "")
        made = name
        return name
    }
}
