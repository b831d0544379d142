import Broker
import Foundation
import JobModel
import Mailbox
import Postgres
import Store
import Telemetry
import TestSupport
import Testing

@testable import Relay

@Suite("The relay, left to itself", .timeLimit(.minutes(3)))
struct OutboxRelayTests {
    /// Runs a relay beside `body`.
    private func running(
        _ fixture: RelayFixture, on pool: PostgresPool? = nil, log: RecordedLog = RecordedLog(),
        registry: MetricRegistry = MetricRegistry(), options: RelayOptions = RelayOptions(),
        _ body: @Sendable @escaping () async throws -> Void
    ) async throws {
        let relay = OutboxRelay(
            pool: pool ?? fixture.pool,
            broker: try RedisBroker(
                url: fixture.server.url, options: BrokerOptions(), logger: .silent),
            encoder: RowEncoder(queues: [:]), options: options,
            metrics: RelayMetrics(registry: registry), logger: log.logger)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                await relay.run()
                return false
            }
            group.addTask {
                try await body()
                return true
            }
            let isBody = try await group.next() ?? false
            #expect(isBody, "the relay ended by itself")
            group.cancelAll()
        }
    }

    private func value(_ name: String, in registry: MetricRegistry) -> Double? {
        let family = registry.snapshot().families.first { $0.name == name }
        guard case .number(let value)? = family?.samples.first?.value else { return nil }
        return value
    }

    @Test("it moves what comes, batch after batch, and tells how the outbox stands")
    func moves() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let registry = MetricRegistry()
            var options = RelayOptions()
            options.batch = 50
            options.watch = .milliseconds(20)
            let ids = try await fixture.enqueue(count: 730)
            try await fixture.enqueue(args: #"["\ud800"]"#)
            try await running(fixture, registry: registry, options: options) {
                try await eventually(within: .seconds(30), "all are pushed") {
                    try await fixture.server.waiting(in: .celery) == 730
                }
                try await eventually("the metrics say so") {
                    value("backhaul_outbox_relayed_total", in: registry) == 730
                        && value("backhaul_outbox_pending", in: registry) == 0
                        && value("backhaul_outbox_parked", in: registry) == 1
                        && value("backhaul_outbox_oldest_age_seconds", in: registry) == 0
                }
                #expect(value("backhaul_outbox_parked_total", in: registry) == 1)
                #expect((value("backhaul_outbox_round_age_seconds", in: registry) ?? 99) < 10)
            }
            #expect(try await Set(fixture.pushed()) == Set(ids))
        }
    }

    @Test("with Redis away rows wait, one line says so, and one that it is over")
    func redisAway() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let log = RecordedLog()
            try await fixture.server.redis.kill()
            let id = try await fixture.enqueue()
            try await running(fixture, log: log) {
                // Longer than a command may take.
                try await eventually(within: .seconds(60), "the outage is noticed") {
                    !log.notableMessages.isEmpty
                }
                #expect(try await fixture.number() == 1)
                try await fixture.server.redis.restart()
                try await eventually(within: .seconds(30), "the row is pushed") {
                    try await fixture.number() == 0
                }
                try await eventually("the end is told") { log.notableMessages.count == 2 }
            }
            #expect(
                log.notableMessages == [
                    "the outbox cannot be relayed", "the outbox is relayed again",
                ])
            #expect(try await fixture.pushed() == [id])
        }
    }

    @Test("without the migration it says what to do, and begins when it is there")
    func noOutbox() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let log = RecordedLog()
            try await PostgresServer.shared.withPool { empty in
                try await running(fixture, on: empty, log: log) {
                    try await eventually("it says so") { !log.lines.isEmpty }
                    let line = try #require(log.lines.first)
                    #expect(
                        line.metadata["error.message"]?.contains("backhaul migrate up") == true)
                    _ = try await Migrator(pool: empty).up()
                    _ = try await empty.query("select backhaul.enqueue('test.job')")
                    try await eventually(within: .seconds(30), "the row is pushed") {
                        try await fixture.server.waiting(in: .celery) == 1
                    }
                }
            }
        }
    }

    @Test("behind pgbouncer in transaction mode writers and relays work as they do without")
    func pgbouncer() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let server = try await PostgresServer.shared
            // Fewer connections than there are clients: every transaction may get another one.
            let bouncer = try await PrivatePgBouncer.start(to: server, poolSize: 3)
            let pool = PostgresServer.pool(
                bouncer.url(instead: fixture.pool.options.conninfo)
            ) { $0.poolSize = 6 }
            let written = Locked<Set<String>>([])
            try await running(fixture, on: pool) {
                try await running(fixture, on: pool) {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for writer in 0..<4 {
                            group.addTask {
                                for number in 0..<40 {
                                    let ids = try await Self.write(
                                        on: pool, writer: writer, number: number)
                                    written.withLock { $0.formUnion(ids) }
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                    try await eventually(within: .seconds(30), "the outbox is empty") {
                        try await fixture.number() == 0
                    }
                }
            }
            await pool.shutdown()
            let pushed = try await fixture.pushed()
            #expect(pushed.count == written.withLock { $0.count })
            #expect(Set(pushed) == written.withLock { $0 })
            #expect(pushed.count == 4 * 36)
        }
    }

    /// Writes one job with a key and rolls every tenth back; returns what was committed.
    private static func write(
        on pool: PostgresPool, writer: Int, number: Int
    ) async throws -> [String] {
        do {
            return try await pool.transaction { transaction in
                let rows = try await transaction.query(
                    """
                    select backhaul.enqueue('test.job', dedup => \("\(writer)/\(number)"),
                        ordering_key => \("key \(number % 3)")) as id
                    """)
                if number % 10 == 9 { throw CutOff() }
                return [try rows[0]["id"]]
            }
        } catch is CutOff { return [] }
    }
}
