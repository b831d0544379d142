import Foundation
import JobModel
import Mailbox
import Postgres
import Store
import TestSupport
import Testing

@Suite("The outbox, as SQL sees it")
struct OutboxSQLTests {
    /// What is wrong in a call, and which argument the error names.
    struct BadCall: Sendable, CustomTestStringConvertible {
        let sql: PostgresQuery
        let names: String
        var testDescription: String { sql.description }
    }

    private static let badCalls: [BadCall] = [
        BadCall(sql: "select backhaul.enqueue('')", names: "job must"),
        BadCall(sql: "select backhaul.enqueue(null)", names: "job must"),
        BadCall(sql: "select backhaul.enqueue(repeat('x', 256))", names: "job must"),
        BadCall(sql: "select backhaul.enqueue(E'a\\nb')", names: "job must"),
        BadCall(
            sql: "select backhaul.enqueue('a', args => '{}')",
            names: "args must be a JSON array, not object"),
        BadCall(
            sql: "select backhaul.enqueue('a', args => null)",
            names: "args must be a JSON array, not null"),
        BadCall(
            sql: "select backhaul.enqueue('a', kwargs => '[]')",
            names: "kwargs must be a JSON object, not array"),
        BadCall(
            sql: "select backhaul.enqueue('a', headers => '1')",
            names: "headers must be a JSON object, not number"),
        BadCall(
            sql: "select backhaul.enqueue('a', priority => 10)",
            names: "priority must be 0 to 9, not 10"),
        BadCall(sql: "select backhaul.enqueue('a', priority => -1)", names: "priority must"),
        BadCall(sql: "select backhaul.enqueue('a', queue => '')", names: "queue must"),
        BadCall(
            sql: "select backhaul.enqueue('a', queue => E'b\\x06\\x163')", names: "queue must"),
        BadCall(
            sql: "select backhaul.enqueue('a', queue => repeat('q', 201))", names: "queue must"),
        BadCall(sql: "select backhaul.enqueue('a', at => 'infinity')", names: "at must"),
        BadCall(sql: "select backhaul.enqueue('a', at => '1969-12-31')", names: "at must"),
        BadCall(
            sql: "select backhaul.enqueue('a', expires => '-infinity')", names: "expires must"),
        BadCall(sql: "select backhaul.enqueue('a', dedup => '')", names: "dedup must"),
        BadCall(
            sql: "select backhaul.enqueue('a', ordering_key => repeat('k', 256))",
            names: "ordering_key must"),
        BadCall(
            sql: """
                select backhaul.enqueue('a', args => json_build_array(repeat('x', 4000000)),
                    kwargs => json_build_object('y', repeat('x', 200000)))
                """, names: "larger than 4194304 bytes"),
    ]

    @Test("a wrong argument is refused by its name, and nothing is written", arguments: badCalls)
    func refused(call: BadCall) async throws {
        try await MigratedDatabase.with { (pool) async throws in
            await #expect {
                _ = try await pool.query(call.sql)
            } throws: { error in
                guard let error = error as? PostgresError else { return false }
                return error.sqlState?.rawValue == "22023"
                    && error.message.hasPrefix("backhaul.enqueue: ")
                    && error.message.contains(call.names)
            }
            #expect(try await Self.rows(pool) == 0)
        }
    }

    @Test("JSON that is none is refused by PostgreSQL itself")
    func noJSON() async throws {
        _ = try await MigratedDatabase.with { (pool) async throws in
            await #expect(throws: PostgresError.self) {
                _ = try await pool.query("select backhaul.enqueue('a', args => '[1,')")
            }
        }
    }

    @Test("every argument is kept as it was given")
    func kept() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let id: String = try await pool.query(
                """
                select backhaul.enqueue('a.b', '[1, 2.50]', '{"b": 1, "a": 1}', 'q',
                    '2100-01-01 00:00:00+00', 'key', 3, '2100-01-02 00:00:00+00', '{"h": 1}',
                    'order') as id
                """)[0]["id"]
            let row = try #require(try await OutboxRepository().pending(of: id, in: pool))
            #expect(row.name == "a.b")
            #expect(row.args == "[1, 2.50]")
            #expect(row.kwargs == #"{"b": 1, "a": 1}"#)
            #expect(row.queue == "q")
            #expect(row.priority == 3)
            #expect(row.runAt == 4_102_444_800)
            #expect(row.expiresAt == 4_102_531_200)
            #expect(row.headers == #"{"h": 1}"#)
            #expect(row.orderingKey == "order")
            #expect(UUID(uuidString: id) != nil)
        }
    }

    @Test("a second call with a key gives the first one's job, also after it was pushed")
    func dedup() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            func enqueue() async throws -> String {
                try await pool.query("select backhaul.enqueue('a', dedup => 'k') as id")[0]["id"]
            }
            let first = try await enqueue()
            #expect(try await enqueue() == first)
            #expect(try await Self.rows(pool) == 1)
            _ = try await pool.query("delete from backhaul.outbox")
            #expect(try await enqueue() == first)
            #expect(try await Self.rows(pool) == 0)
            // Forgotten, it is a new one.
            let pruned = try await OutboxRepository().prune(
                dedupOlderThan: .zero, parkedOlderThan: .zero, limit: 10, in: pool)
            #expect(pruned == 1)
            #expect(try await enqueue() != first)
        }
    }

    @Test("of calls with one key at once, one enqueues; after a rollback, the next")
    func dedupRace() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let ids = Locked<[String]>([])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<8 {
                    group.addTask {
                        do {
                            let id: String = try await pool.transaction { transaction in
                                let rows = try await transaction.query(
                                    "select backhaul.enqueue('a', dedup => 'k') as id")
                                if caller < 4 { throw BodyFailed() }
                                return try rows[0]["id"]
                            }
                            ids.withLock { $0.append(id) }
                        } catch is BodyFailed {}
                    }
                }
                try await group.waitForAll()
            }
            #expect(ids.withLock { $0.count } == 4)
            #expect(Set(ids.withLock { $0 }).count == 1)
            #expect(try await Self.rows(pool) == 1)
        }
    }

    @Test("a role needs no right but to the schema and the function")
    func privileges() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let role: PostgresQuery = "set local role outbox_writer"
            // Roles are the server's: another run may have made it.
            _ = try await pool.query(
                """
                do $$ begin create role outbox_writer; exception when duplicate_object then end $$
                """)
            func enqueueAsWriter() async throws -> String {
                try await pool.transaction { transaction in
                    _ = try await transaction.query(role)
                    return try await transaction.query(
                        """
                        select backhaul.enqueue('a', dedup => 'k', ordering_key => 'o') as id
                        """)[0]["id"]
                }
            }
            await #expect(throws: PostgresError.self) { try await enqueueAsWriter() }
            _ = try await pool.query("grant usage on schema backhaul to outbox_writer")
            await #expect(throws: PostgresError.self) { try await enqueueAsWriter() }
            _ = try await pool.query("grant execute on function backhaul.enqueue to outbox_writer")
            let id = try await enqueueAsWriter()
            #expect(try await OutboxRepository().pending(of: id, in: pool) != nil)
            for forbidden: PostgresQuery in [
                "select from backhaul.outbox", "select backhaul.prune_outbox()",
            ] {
                await #expect(throws: PostgresError.self) {
                    try await pool.transaction { transaction in
                        _ = try await transaction.query(role)
                        _ = try await transaction.query(forbidden)
                    }
                }
            }
        }
    }

    @Test("a transaction with an ordering key waits for another one with it, and for no other")
    func turns() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let isFirstOver = Locked(false)
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await pool.transaction { transaction in
                    _ = try await transaction.query(
                        "select backhaul.enqueue('first', ordering_key => 'k')")
                    group.addTask {
                        _ = try await pool.query(
                            "select backhaul.enqueue('second', ordering_key => 'k')")
                        #expect(isFirstOver.withLock { $0 })
                    }
                    _ = try await pool.query("select backhaul.enqueue('x', ordering_key => 'l')")
                    try await eventually("the second waits") {
                        let rows = try await pool.query(
                            """
                            select count(*) as n from pg_locks l
                            join pg_database d on d.oid = l.database
                            where d.datname = current_database() and locktype = 'advisory'
                                and not granted
                            """)
                        return try rows[0]["n"] == 1
                    }
                    isFirstOver.withLock { $0 = true }
                }
                try await group.waitForAll()
            }
            let rows = try await pool.query(
                "select name from backhaul.outbox where ordering_key = 'k' order by id")
            let names: [String] = try rows.map { try $0["name"] }
            #expect(names == ["first", "second"])
        }
    }

    private static func rows(_ pool: PostgresPool) async throws -> Int {
        try await pool.query("select count(*) as n from backhaul.outbox")[0]["n"]
    }
}
