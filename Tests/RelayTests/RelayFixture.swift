import Broker
import Foundation
import JobModel
import Mailbox
import Postgres
import Redis
import Store
import Telemetry
import TestSupport
import Testing

@testable import Relay

/// A migrated database, a Redis, and rounds of relays between them.
struct RelayFixture: Sendable {
    let pool: PostgresPool
    let server: QueueServer

    static func with<Value: Sendable>(
        _ body: (RelayFixture) async throws -> Value
    ) async throws -> Value {
        let server = try await QueueServer()
        return try await MigratedDatabase.with { (pool) async throws in
            try await body(RelayFixture(pool: pool, server: server))
        }
    }

    /// A relay's rounds; every call is another relay.
    func round(
        batch: Int = 1000, on other: PostgresPool? = nil,
        broker: BrokerOptions = BrokerOptions(),
        passing: @escaping @Sendable (RelayRound.Step) async throws -> Void = { _ in }
    ) throws -> RelayRound {
        var options = RelayOptions()
        options.batch = batch
        return RelayRound(
            pool: other ?? pool,
            broker: try RedisBroker(url: server.url, options: broker, logger: .silent),
            encoder: RowEncoder(queues: ["test.known": "known"]), options: options,
            metrics: RelayMetrics(registry: MetricRegistry()), clock: ContinuousClock(),
            passing: passing)
    }

    /// Enqueues by SQL, as any program would, in a transaction of its own; returns the job's id.
    @discardableResult
    func enqueue(
        _ job: String = "test.job", args: String = "[]", queue: String? = nil,
        key: String? = nil
    ) async throws -> String {
        let rows = try await pool.query(
            """
            select backhaul.enqueue(\(job), args => \(args), queue => \(queue.postgresValue),
                ordering_key => \(key.postgresValue)) as id
            """)
        return try rows[0]["id"]
    }

    /// Enqueues so many jobs in one transaction, numbered in their only argument.
    @discardableResult
    func enqueue(count: Int) async throws -> [String] {
        let rows = try await pool.query(
            """
            select backhaul.enqueue('test.job', args => json_build_array(n)) as id
            from generate_series(1, \(count)::bigint) n
            """)
        return try rows.map { try $0["id"] }
    }

    func number(_ table: String = "outbox") async throws -> Int {
        let query: PostgresQuery =
            switch table {
            case "outbox": "select count(*) as n from backhaul.outbox"
            case "parked": "select count(*) as n from backhaul.outbox_parked"
            default: "select count(*) as n from backhaul.outbox_dedup"
            }
        return try await pool.query(query)[0]["n"]
    }

    /// The ids that wait in a queue, in the order in which they are taken.
    func pushed(in queue: QueueName = .celery) async throws -> [String] {
        try await server.messages(in: queue).map(\.id.text)
    }

    /// How long each id is still known, by id, in seconds.
    func marks() async throws -> [String: Double] {
        let reply = try await server.raw.send(
            RedisCommand("ZRANGE", RedisKeys().outboxPushed, 0, -1, "WITHSCORES"))
        let now = Date().timeIntervalSince1970
        let parts = (reply.array ?? []).compactMap(\.string)
        var marks: [String: Double] = [:]
        for index in stride(from: 0, to: parts.count - 1, by: 2) {
            marks[parts[index]] = (Double(parts[index + 1]) ?? 0) / 1000 - now
        }
        return marks
    }
}

/// What a test cuts a round off with.
struct CutOff: Error {}
