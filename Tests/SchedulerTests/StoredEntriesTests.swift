import Broker
import Foundation
import JobModel
import Logging
import Mailbox
import Postgres
import Scheduler
import Store
import TestSupport
import Testing

@Suite("Entries of the file and stored ones, read again while the scheduler runs", .serialized)
struct StoredEntriesTests {
    private static let table = """
        entries:
          declared: {job: declared.job, every: 1m}
          bill-run: {job: declared.job, crontab: "0 2 1 * *"}
        """
    private static let jobs: [JobName: QueueName] = ["declared.job": "d", "stored.job": "s"]
    private let good = #"{"job": "stored.job", "every": "30s", "args": ["é\"x", 1.50]}"#

    /// One scheduler's view, and what it logged.
    private struct View {
        let entries: StoredEntries
        let log = LogRecorder()

        init(_ pool: PostgresPool, _ broker: RedisBroker) throws {
            entries = StoredEntries(
                declared: try ScheduleTable(yaml: table, file: "s.yaml", jobs: jobs),
                repository: ScheduleRepository(pool: pool), broker: broker,
                read: { name, definition throws(ScheduleProblems) in
                    try ScheduleEntry.read(
                        name: name, definition: definition, label: "stored definition", jobs: jobs)
                }, logger: log.logger)
        }

        var names: [String] { entries.entries.map(\.name) }
        var paused: [String] { entries.entries.filter(\.isPaused).map(\.name) }
    }

    private func with(
        _ body: (ScheduleRepository, PostgresPool, QueueServer) async throws -> Void
    ) async throws {
        let queues = try await QueueServer()
        try await MigratedDatabase.with { pool in
            try await body(ScheduleRepository(pool: pool), pool, queues)
        }
    }

    @Test("changes are seen with the next look: added, changed, paused, resumed, removed")
    func refresh() async throws {
        try await with { store, pool, queues in
            let now = Date()
            let view = try View(pool, queues.broker)
            #expect(view.names.isEmpty)
            await view.entries.runOnce()
            #expect(view.names == ["declared", "bill-run"])

            _ = try await store.add("extra", definition: good, by: "ada@noc", at: now)
            await view.entries.runOnce()
            #expect(view.names == ["declared", "bill-run", "extra"])
            let extra = try #require(view.entries.entries.last)
            #expect(extra.job == "stored.job" && extra.queue == "s")
            #expect(extra.schedule == .every(.seconds(30)))
            #expect(extra.args == [.string("é\"x"), .number(JSONNumber(text: "1.50"))])
            #expect(extra.origin == .stored(by: "ada@noc"))

            _ = try await store.pause("bill-run", because: "prices", by: "bob", at: now)
            _ = try await store.pause("extra", because: "noise", by: "bob", at: now)
            await view.entries.runOnce()
            #expect(view.paused == ["bill-run", "extra"])

            _ = try await store.resume("bill-run", by: "bob", at: now)
            _ = try await store.change(
                "extra", definition: #"{"job": "stored.job", "every": "45s"}"#, from: 2, by: "b",
                at: now)
            await view.entries.runOnce()
            #expect(view.paused == ["extra"])
            #expect(view.entries.entries.last?.schedule == .every(.seconds(45)))

            _ = try await store.remove("extra", by: "bob", at: now)
            await view.entries.runOnce()
            #expect(view.names == ["declared", "bill-run"])
            #expect(view.log.lines.allSatisfy { $0.level < .warning })
        }
    }

    @Test("bad definitions stop nothing else, and are told of once, until they change")
    func badOnes() async throws {
        try await with { store, pool, queues in
            let now = Date()
            let bad = [
                "unknown-job": #"{"job": "gone.job", "every": "30s"}"#,
                "no-json": "{{{", "not-a-mapping": "[1]", "empty": " ",
                "injected": "{job: stored.job, every: 30s}\n  second: {job: stored.job, every: 1s}",
                "declared": good,
            ]
            for (name, text) in bad {
                _ = try await store.add(name, definition: text, by: "ada", at: now)
            }
            _ = try await store.add("zz-good", definition: good, by: "ada", at: now)
            let view = try View(pool, queues.broker)
            await view.entries.runOnce()
            await view.entries.runOnce()
            #expect(view.names == ["declared", "bill-run", "zz-good"])
            // The file wins.
            #expect(view.entries.entries.first?.job == "declared.job")
            let told = view.log.lines("stored schedule entry cannot be used")
            #expect(
                Set(told.compactMap { $0.metadata[LogKey.scheduleName].map { "\($0)" } })
                    == Set(bad.keys))
            #expect(told.count == bad.count)
            let reason = told.first { "\($0.metadata[LogKey.scheduleName] ?? "")" == "unknown-job" }
            let text = "\(reason?.metadata[LogKey.errorMessage] ?? "")"
            #expect(text.contains("gone.job"))

            _ = try await store.add(
                "unknown-job", definition: #"{"job": "gone.too", "every": "30s"}"#, replacing: true,
                by: "ada", at: now)
            await view.entries.runOnce()
            #expect(view.log.lines("stored schedule entry cannot be used").count == bad.count + 1)
        }
    }

    @Test("while PostgreSQL is away the last state counts; a restart takes the copy in Redis")
    func outage() async throws {
        let queues = try await QueueServer()
        let server = try await PostgresServer.start()
        let url = try await server.makeDatabase()
        let pool = PostgresServer.pool(url) { $0.connectTimeout = .seconds(2) }
        _ = try await Migrator(pool: pool).up()
        let store = ScheduleRepository(pool: pool)
        let view = try View(pool, queues.broker)
        _ = try await store.pause("bill-run", because: "prices", by: "ada", at: Date())
        _ = try await store.add("extra", definition: good, by: "ada", at: Date())
        await view.entries.runOnce()
        await server.kill()

        await view.entries.runOnce()
        await view.entries.runOnce()
        #expect(view.names == ["declared", "bill-run", "extra"])
        #expect(view.paused == ["bill-run"])
        #expect(view.log.lines("stored schedule cannot be read").count == 1)

        let other = PostgresServer.pool(url) { $0.connectTimeout = .seconds(2) }
        let restarted = try View(other, queues.broker)
        await restarted.entries.runOnce()
        #expect(restarted.names == ["declared", "bill-run", "extra"])
        #expect(restarted.paused == ["bill-run"])

        // Without a copy it cannot be told what is paused: nothing runs.
        let empty = try await QueueServer()
        let blind = try View(other, empty.broker)
        await blind.entries.runOnce()
        await blind.entries.runOnce()
        #expect(blind.names.isEmpty && !blind.entries.isKnown)
        let message = "no entry runs: neither PostgreSQL nor Redis tells which are paused"
        #expect(blind.log.lines(message).count == 1)

        try await server.restart()
        for view in [view, restarted, blind] {
            try await eventually(within: .seconds(30)) {
                await view.entries.runOnce()
                return !view.log.lines("stored schedule can be read again").isEmpty
            }
            #expect(view.names == ["declared", "bill-run", "extra"])
            #expect(view.paused == ["bill-run"])
        }
        await pool.shutdown()
        await other.shutdown()
        await server.remove()
    }

    @Test("a copy that another program wrote counts as none")
    func strangeCopy() async throws {
        let queues = try await QueueServer()
        try await queues.broker.keepKnownSchedule(Array(#"{"entries": 7}"#.utf8))
        let pool = PostgresServer.pool(BackhaulProcess.noDatabase)
        let view = try View(pool, queues.broker)
        await view.entries.runOnce()
        #expect(view.names.isEmpty && !view.entries.isKnown)
        await pool.shutdown()
    }

    @Test("a database of before the migration holds nothing: the file alone runs, and that is told")
    func beforeMigration() async throws {
        let queues = try await QueueServer()
        try await PostgresServer.shared.withPool { pool in
            let view = try View(pool, queues.broker)
            await view.entries.runOnce()
            #expect(view.names == ["declared", "bill-run"])
            let told = view.log.lines("stored schedule cannot be read")
            let advice = "\(told.first?.metadata[LogKey.advice] ?? "")"
            #expect(advice.contains("migrate up"))
            _ = try await Migrator(pool: pool).up()
            _ = try await ScheduleRepository(pool: pool).pause(
                "declared", because: "why", by: "ada", at: Date())
            await view.entries.runOnce()
            #expect(view.paused == ["declared"])
        }
    }

    @Test("a scheduler fires an entry that is added while it runs, and not one that is paused")
    func service() async throws {
        try await with { store, pool, queues in
            let view = try View(pool, queues.broker)
            await view.entries.runOnce()
            let book = MemoryTickBook()
            let time = SettableTime(Date(timeIntervalSince1970: 1_800_000_010))
            let service = SchedulerService(
                source: view.entries, book: book, time: time, logger: .silent)
            _ = try await service.runOnce()
            _ = try await store.add("extra", definition: good, by: "ada", at: Date())
            _ = try await store.pause("declared", because: "why", by: "ada", at: Date())
            await view.entries.runOnce()
            _ = try await service.runOnce()
            time.set(Date(timeIntervalSince1970: 1_800_000_061))
            let report = try await service.runOnce()
            #expect(Set(report.enqueued.map(\.entry.name)) == ["extra"])
        }
    }
}

/// A clock that a test sets.
private final class SettableTime: TimeSource {
    private let state: Locked<Date>

    init(_ now: Date) { state = Locked(now) }

    var now: Date { state.withLock { $0 } }

    func set(_ now: Date) { state.withLock { $0 = now } }
}
