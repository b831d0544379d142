import Foundation
import JobModel
import Mailbox
import Postgres
import TestSupport
import Testing

@Suite("Relay processes that are killed", .serialized, .timeLimit(.minutes(5)))
struct RelayTests {
    private static let writers = 4
    private static let kills = 8
    private static let fewestJobs = 400

    @Test("rows of writers that roll some back are pushed once each, through pgbouncer")
    func killed() async throws {
        let queues = try await QueueServer()
        let server = try await PostgresServer.shared
        try await ServiceDatabase.with(services: 1, on: server) { (database) async throws in
            let bouncer = try await PrivatePgBouncer.start(to: server)
            let address = bouncer.url(instead: database.url)
            let pool = PostgresServer.pool(address)
            let committed = Locked<[String]>([])
            let isOver = Locked(false)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<Self.writers {
                    group.addTask {
                        while !isOver.withLock({ $0 }) {
                            let id = try await Self.write(on: pool)
                            if let id { committed.withLock { $0.append(id) } }
                        }
                    }
                }
                try await Self.killRelays(redis: queues.url, database: address)
                try await eventually(within: .seconds(60), "enough jobs") {
                    committed.withLock { $0.count } >= Self.fewestJobs
                }
                isOver.withLock { $0 = true }
                try await group.waitForAll()
            }
            let last = try BackhaulProcess(["relay", "--redis", queues.url, "--database", address])
            let wanted = committed.withLock { $0 }
            try await eventually(within: .seconds(60), "the outbox is empty") {
                let rows = try await pool.query("select count(*) as n from backhaul.outbox")
                return try rows[0]["n"] == 0
            }
            #expect(try await last.stop().code == 0)
            let pushed = try await queues.messages(in: .celery).map(\.id.text)
            #expect(pushed.count == wanted.count)
            #expect(Set(pushed) == Set(wanted))
            await pool.shutdown()
        }
    }

    /// Runs two relays at a time and kills one after another, each once it has begun.
    private static func killRelays(redis: String, database: String) async throws {
        func start() throws -> BackhaulProcess {
            try BackhaulProcess(["relay", "--redis", redis, "--database", database])
        }
        var random = SystemRandomNumberGenerator()
        var relays = try [start(), start()]
        for _ in 0..<kills {
            let victim = relays.removeFirst()
            try await victim.says("relay started")
            // Somewhere within its first rounds.
            let life = Duration.milliseconds(Int.random(in: 0...400, using: &random))
            try await ContinuousClock().sleep(until: .now + life)
            _ = try await victim.kill()
            relays.append(try start())
        }
        for relay in relays { _ = try await relay.kill() }
    }

    /// Enqueues a job in a transaction; every tenth or so is rolled back and gives nil.
    private static func write(on pool: PostgresPool) async throws -> String? {
        struct Undone: Error {}
        do {
            return try await pool.transaction { transaction in
                let rows = try await transaction.query(
                    "select backhaul.enqueue('backhaul.ping') as id")
                if Int.random(in: 0..<10) == 0 { throw Undone() }
                return try rows[0]["id"]
            }
        } catch is Undone { return nil }
    }

    @Test("a scheduler with a database relays, and opens its health port")
    func scheduler() async throws {
        let queues = try await QueueServer()
        let server = try await PostgresServer.shared
        try await ServiceDatabase.with(services: 1, on: server) { (database) async throws in
            let directory = try TemporaryDirectory(prefix: "backhaul-schedule")
            let file = directory.path(of: "schedule.yaml")
            try Data("entries: {}\n".utf8).write(to: URL(fileURLWithPath: file))
            let scheduler = try BackhaulProcess([
                "scheduler", "--redis", queues.url, "--database", database.url, "--schedule", file,
                "--set", "health.listen=127.0.0.1:\(Int.random(in: 20_000..<32_000))",
            ])
            let pool = PostgresServer.pool(database.url)
            _ = try await pool.query("select backhaul.enqueue('backhaul.ping')")
            await pool.shutdown()
            try await eventually(within: .seconds(60), "the job is pushed") {
                try await queues.waiting(in: .celery) == 1
            }
            try await scheduler.says("health is served")
            #expect(try await scheduler.stop().code == 0)
        }
    }

    @Test("the commands show what was set aside, put it back and delete it")
    func commands() async throws {
        let queues = try await QueueServer()
        let server = try await PostgresServer.shared
        try await ServiceDatabase.with(services: 1, on: server) { (database) async throws in
            let pool = PostgresServer.pool(database.url)
            let id: String = try await pool.query(
                #"select backhaul.enqueue('odd.job', args => '["\ud800"]') as id"#)[0]["id"]
            let relay = try BackhaulProcess([
                "relay", "--redis", queues.url, "--database", database.url,
            ])
            try await relay.says("a row of the outbox was set aside")
            #expect(try await relay.stop().code == 0)
            func run(_ words: String...) async throws -> BackhaulProcess.Ended {
                try await BackhaulProcess.run(
                    ["outbox"] + words + ["--database", database.url])
            }
            let status = try await run("status", "-o", "json")
            #expect(status.code == 0)
            #expect(status.output.contains(#""parked" : 1"#))
            #expect(try await run("ls").output.contains("args cannot be read"))
            #expect(try await run("show", id).output.contains(#"["\ud800"]"#))
            #expect(try await run("retry", "--all", "--dry-run").output.contains("1 row"))
            #expect(try await run("retry", id).output == "put back 1 row\n")
            #expect(try await run("show", id).output.contains("pending"))
            #expect(try await run("retry", id).code == 1)
            #expect(try await run("discard", id, "--yes").code == 1)
            #expect(try await run("retry").code == 64)
            await pool.shutdown()
        }
    }
}
