import Broker
import Enqueue
import Foundation
import JobModel
import Logging
import Postgres
import Redis
import Store
import TestSupport
import Testing

@Suite("Enqueueing inside a database transaction")
struct OutboxEnqueueTests {
    private struct Undone: Error {}

    /// Redis is not asked: nobody is at this address.
    private static func enqueuer() throws -> Enqueuer {
        try Enqueuer(redis: "redis://127.0.0.1:1/0", logger: .silent)
    }

    private static let options: EnqueueOptions = {
        var options = EnqueueOptions.at(Date(timeIntervalSince1970: 4_102_444_800.25))
        options.priority = Priority(6)
        options.expires = Date(timeIntervalSince1970: 4_102_448_400)
        options.timeLimit = .seconds(90)
        options.ignoresResult = true
        options.headers = ["tenant": "a"]
        return options
    }()

    @Test("a committed job is a row with all its options; a rolled back one is none")
    func transaction() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let enqueuer = try Self.enqueuer()
            let id = try await pool.transaction { transaction in
                try await enqueuer.enqueue(
                    EnqueuerTests.Charge.self, .init(invoiceID: 7, note: "ü"), Self.options,
                    orderingKey: "customer 7", in: transaction)
            }
            await #expect(throws: Undone.self) {
                try await pool.transaction { transaction in
                    try await enqueuer.enqueue("test.never", in: transaction)
                    throw Undone()
                }
            }
            let row = try #require(try await OutboxRepository().pending(of: id.text, in: pool))
            #expect(row.name == "test.charge")
            #expect(row.args == "[]")
            let kwargs = try JSONValue(parsing: Array(row.kwargs.utf8))
            #expect(kwargs == ["invoice_id": 7, "note": "ü"])
            #expect(row.queue == "money")
            #expect(row.priority == 6)
            #expect(row.runAt == 4_102_444_800.25)
            #expect(row.expiresAt == 4_102_448_400)
            #expect(row.orderingKey == "customer 7")
            let headers = try JSONValue(parsing: Array(row.headers.utf8))
            #expect(headers["tenant"] == "a")
            #expect(headers["ignore_result"] == true)
            #expect(headers["timelimit"]?.arrayValue?[1].doubleValue == 90)
            let status = try await OutboxRepository().status(in: pool)
            #expect(status.pending == 1)
        }
    }

    @Test("the statement for other clients writes the same row")
    func statement() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let enqueuer = try Self.enqueuer()
            let own = try await pool.transaction { transaction in
                try await enqueuer.enqueue(
                    EnqueuerTests.Charge.self, .init(invoiceID: 7), Self.options,
                    orderingKey: "o", in: transaction)
            }
            let statement = try OutboxStatement(
                EnqueuerTests.Charge.self, .init(invoiceID: 7), Self.options, orderingKey: "o")
            let foreign = try await Self.run(statement, on: pool)
            let outbox = OutboxRepository()
            let rows = try [
                #require(try await outbox.pending(of: own.text, in: pool)),
                #require(try await outbox.pending(of: foreign, in: pool)),
            ]
            for field: KeyPath<OutboxRow, String> in [\.name, \.args, \.kwargs, \.headers] {
                #expect(rows[0][keyPath: field] == rows[1][keyPath: field])
            }
            #expect(rows[0].runAt == rows[1].runAt)
            #expect(rows[0].expiresAt == rows[1].expiresAt)
            #expect(rows[0].queue == rows[1].queue)
            #expect(rows[0].priority == rows[1].priority)
            #expect(rows[0].orderingKey == rows[1].orderingKey)
        }
    }

    /// As a client would that knows text parameters only: by psql.
    private static func run(
        _ statement: OutboxStatement, on pool: PostgresPool
    ) async throws -> String {
        var sql = statement.sql
        for (index, value) in statement.parameters.enumerated().reversed() {
            let literal =
                value.map { "'" + $0.replacing("'", with: "''") + "'" } ?? "null"
            sql = sql.replacing("$\(index + 1)::", with: "\(literal)::")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try ChildProcess.path(of: "psql"))
        process.arguments = ["-qAtX", "-d", pool.options.conninfo, "-c", sql]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "psql failed")
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test("a key makes a repeat the same job; an id of one's own is refused")
    func repeats() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let enqueuer = try Self.enqueuer()
            func enqueue() async throws -> JobID {
                try await pool.transaction { transaction in
                    try await enqueuer.enqueue("test.job", dedup: "k", in: transaction)
                }
            }
            let first = try await enqueue()
            #expect(try await enqueue() == first)
            await #expect {
                try await pool.transaction { transaction in
                    try await enqueuer.enqueue("test.job", .id("mine"), in: transaction)
                }
            } throws: { ($0 as? EnqueueError)?.code == .refused }
            await #expect {
                try await pool.transaction { transaction in
                    try await enqueuer.enqueue("", in: transaction)
                }
            } throws: { ($0 as? EnqueueError)?.message.contains("job must") == true }
        }
    }

    @Test("a job enqueues in the transaction that takes its own effect, once over all its runs")
    func insideJob() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let enqueuer = try Self.enqueuer()
            let context = JobContext(
                id: JobID("outer"), name: "test.outer", queue: .celery, attempt: 1,
                maximumAttempts: 3, fence: .none, logger: .silent, time: SystemTime())
            var ids: Set<String> = []
            for _ in 0..<2 {
                let id = try await context.transaction(on: pool) { transaction in
                    try await enqueuer.enqueue("test.inner", in: transaction).text
                }
                ids.insert(id)
            }
            #expect(ids.count == 1)
            #expect(try await OutboxRepository().status(in: pool).pending == 1)
        }
    }
}
