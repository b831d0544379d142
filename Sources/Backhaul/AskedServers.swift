import Health
import Postgres
import Redis

/// The servers that `/health` asks, on connections of its own.
///
/// A pool that jobs keep busy says nothing about whether the database is there.
struct AskedServers: Sendable {
    /// How long one question to a server may take: within what the health port allows.
    private static let questionLimit = Duration.milliseconds(600)
    /// The longest wait before a server that was away is tried again.
    private static let longestBackoff = Duration.milliseconds(500)

    private let redis: RedisConnection
    private let pool: PostgresPool?

    /// Connects when first asked; without `database` only Redis is.
    ///
    /// - Throws: `RedisError` when the address cannot be used.
    init(_ settings: Settings, database: Secret?) throws {
        redis = RedisConnection(
            address: try RedisAddress(url: settings.redis.url.revealed),
            options: Self.redisOptions, logger: .quiet)
        pool = database.map { database in
            PostgresPool(options: Self.postgresOptions(settings, database), logger: .quiet)
        }
    }

    /// How each of them is asked.
    var dependencies: [Dependency] {
        let redis = redis
        let database = pool.map { pool in
            Dependency("postgresql") {
                _ = try await pool.query(PostgresQuery("select 1").named("health.ping"))
            }
        }
        return [database].compactMap(\.self) + [
            Dependency("redis") { _ = try await redis.send(RedisCommand("PING")) }
        ]
    }

    /// Frees the connections.
    func close() async {
        await redis.close()
        await pool?.shutdown()
    }

    /// What a question to Redis may take.
    static var redisOptions: RedisOptions {
        var options = RedisOptions()
        options.connectTimeout = questionLimit
        options.commandTimeout = questionLimit
        options.reconnect = ReconnectBackoff(cap: longestBackoff)
        options.clientName = "backhaul-health"
        return options
    }

    private static func postgresOptions(_ settings: Settings, _ url: Secret) -> PostgresOptions {
        var options = settings.database.options(url: url)
        options.poolSize = 1
        options.connectTimeout = questionLimit
        options.statementTimeout = questionLimit
        options.leaseTimeout = questionLimit
        options.shutdownTimeout = questionLimit
        options.applicationName = "backhaul-health"
        return options
    }
}
