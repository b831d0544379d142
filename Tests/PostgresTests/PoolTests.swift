import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("PostgresPool") struct PostgresPoolTests {
    @Test("a batch keeps nothing when one of its statements fails")
    func batch() async throws {
        try await PostgresServer.shared.withPool { pool in
            _ = try await pool.query("create table payments (key text primary key)")
            let error = await failure {
                try await pool.batch([
                    "insert into payments values (\("a"))",
                    PostgresQuery("insert into payments values (\("a"))").named("payments.add"),
                    "insert into payments values (\("b"))",
                ])
            }
            let refused = try #require(error as? PostgresError)
            #expect(refused.code == .server)
            #expect(refused.sqlState == .uniqueViolation)
            #expect(refused.constraint == "payments_pkey")
            #expect(refused.queryName == "payments.add")
            #expect(!refused.isTransient && !refused.mayHaveRun)
            #expect(!"\(refused)".contains("(a)"), "DETAIL holds the value")
            let left: Int = try await pool.query("select count(*) from payments")[0]["count"]
            #expect(left == 0)
            let results = try await pool.batch([
                "insert into payments values (\("a"))", "select key from payments",
            ])
            #expect(results[0].affected == 1)
            #expect(try results[1][0].decode("key", as: String.self) == "a")
        }
    }

    @Test("statements that are alike in a batch are told apart by their parameters")
    func alike() async throws {
        try await PostgresServer.shared.withPool { pool in
            _ = try await pool.query("create table notes (number bigint primary key, note text)")
            func add(_ number: Int, _ note: String?) -> PostgresQuery {
                "insert into notes values (\(number), \(note.postgresValue))"
            }
            let written = try await pool.batch(
                (0..<100).map { add($0, $0.isMultiple(of: 3) ? nil : "note \($0)") })
            #expect(written.count == 100 && written.allSatisfy { $0.affected == 1 })
            let read = try await pool.batch([
                "select note from notes where number = \(1)",
                "select note from notes where number = \(3)",
                "select note from notes where number = \("4")",
                "select count(*)::text as note from notes",
                "select note from notes where number = \(5)",
                "select note from notes where number = \(1_000)",
            ])
            let notes: [String?] = try read.dropLast().map { try $0[0].decode("note") }
            #expect(notes == ["note 1", nil, "note 4", "100", "note 5"])
            #expect(read[5].isEmpty)
            let error = await failure { try await pool.batch((95..<105).map { add($0, "again") }) }
            #expect((error as? PostgresError)?.sqlState == .uniqueViolation)
            let left: Int = try await pool.query("select count(*) from notes")[0]["count"]
            #expect(left == 100)
        }
    }

    @Test("a data exception does not repeat the value")
    func redaction() async throws {
        try await PostgresServer.shared.withPool { pool in
            let error = await failure { try await pool.query("select \("hunter2")::uuid") }
            let refused = try #require(error as? PostgresError)
            #expect(refused.sqlState == .invalidTextRepresentation)
            #expect(!"\(refused)".contains("hunter2"))
            #expect(refused.message.contains("uuid"))
        }
    }

    @Test("1,000 queries at once are answered, each with its own result")
    func concurrency() async throws {
        try await PostgresServer.shared.withPool { pool in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        let value: Int = try await pool.query("select \(number) as n")[0]["n"]
                        #expect(value == number)
                        return value
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 499_500)
            let backends: Int = try await pool.query(
                "select count(*) from pg_stat_activity where datname = current_database()")[0][
                    "count"]
            #expect(backends <= pool.options.poolSize)
        }
    }

    @Test("a failing statement does not disturb its neighbours in the pipeline")
    func neighbours() async throws {
        try await PostgresServer.shared.withPool(options: .test { $0.poolSize = 1 }) { pool in
            await withTaskGroup { group in
                for number in 0..<200 {
                    group.addTask {
                        let error = await failure {
                            try await pool.query("select 1 / \(number % 2) as n")
                        }
                        let state = (error as? PostgresError)?.sqlState
                        #expect(state == (number % 2 == 0 ? .divisionByZero : nil))
                    }
                }
            }
        }
    }

    @Test("a pool whose connections are all leased says so in time")
    func exhausted() async throws {
        try await PostgresServer.shared.withPool(
            options: .test {
                $0.poolSize = 1
                $0.leaseTimeout = .milliseconds(100)
            }
        ) { pool in
            try await pool.transaction { transaction in
                _ = try await transaction.query("select 1")
                let query = await failure { try await pool.query("select 1") }
                #expect((query as? PostgresError)?.code == .poolExhausted)
                let nested = await failure { try await pool.transaction { _ in } }
                #expect((nested as? PostgresError)?.code == .poolExhausted)
            }
            // Nobody's place was lost on the way.
            _ = try await pool.query("select 1")
        }
    }

    @Test("too many waiting calls are refused at once")
    func refused() async throws {
        try await PostgresServer.shared.withPool(
            options: .test {
                $0.poolSize = 1
                $0.maximumPending = 2
            }
        ) { pool in
            let codes = await withTaskGroup(of: PostgresError.Code?.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        let error = await failure { try await pool.query("select pg_sleep(0.3)") }
                        return (error as? PostgresError)?.code
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 2)
            #expect(codes.count { $0 == .poolExhausted } == 3)
        }
    }

    @Test("the server stops a statement that runs too long")
    func statementTimeout() async throws {
        try await PostgresServer.shared.withPool(
            options: .test {
                $0.statementTimeout = .milliseconds(200)
            }
        ) { pool in
            let error = await failure { try await pool.query("select pg_sleep(30)") }
            #expect((error as? PostgresError)?.sqlState == .queryCanceled)
            _ = try await pool.query("select 1")
        }
    }

    @Test("a statement that the server does not stop is given up here")
    func guardTimeout() async throws {
        try await PostgresServer.shared.withPool(
            options: .test {
                $0.statementTimeout = .milliseconds(100)
                $0.sendsStartupOptions = false
            }
        ) { pool in
            let error = await failure { try await pool.query("select pg_sleep(60)") }
            let given = try #require(error as? PostgresError)
            #expect(given.code == .timeout)
            #expect(given.mayHaveRun)
            try await eventually {
                try await pool.query(
                    "select 1 from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()"
                ).isEmpty
            }
        }
    }

    @Test("a cancelled task stops waiting, and the connection stays in use")
    func cancelled() async throws {
        try await PostgresServer.shared.withPool(options: .test { $0.poolSize = 1 }) { pool in
            let code = await withTaskGroup(of: PostgresError.Code?.self) { group in
                group.addTask {
                    let error = await failure { try await pool.query("select pg_sleep(0.5)") }
                    return (error as? PostgresError)?.code
                }
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(code == .cancelled)
            let pid: Int = try await pool.query("select pg_backend_pid() as pid")[0]["pid"]
            #expect(try await pool.query("select pg_backend_pid() as pid")[0]["pid"] == pid)
        }
    }

    @Test("a result beyond the limits fails, and the next one is whole")
    func limits() async throws {
        try await PostgresServer.shared.withPool(
            options: .test {
                $0.maximumResultRows = 1_000
                $0.maximumResultBytes = 100_000
            }
        ) { pool in
            let rows = await failure { try await pool.query("select generate_series(1, 100000)") }
            #expect((rows as? PostgresError)?.code == .resultTooLarge)
            let bytes = await failure { try await pool.query("select repeat('x', 100001)") }
            #expect((bytes as? PostgresError)?.code == .resultTooLarge)
            let whole = try await pool.query("select generate_series(1, 1000)")
            #expect(whole.count == 1_000)
        }
    }

    @Test("a large parameter and a large result pass through")
    func large() async throws {
        try await PostgresServer.shared.withPool { pool in
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let rows = try await pool.query("select \(bytes) as bytes")
                        #expect(try rows[0].decode("bytes", as: [UInt8].self) == bytes)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("BEGIN in a plain query is refused and leaves nothing open")
    func strayBegin() async throws {
        try await PostgresServer.shared.withPool(options: .test { $0.poolSize = 1 }) { pool in
            let error = await failure { try await pool.query("begin") }
            #expect((error as? PostgresError)?.code == .transactionState)
            _ = try await pool.query("select 1")
        }
    }

    @Test("COPY is refused and the pool goes on")
    func copy() async throws {
        try await PostgresServer.shared.withPool(options: .test { $0.poolSize = 1 }) { pool in
            let error = await failure { try await pool.query("copy (select 1) to stdout") }
            #expect(error is PostgresError)
            _ = try await pool.query("select 1")
        }
    }

    @Test("an empty query is a result without rows")
    func empty() async throws {
        try await PostgresServer.shared.withPool { pool in
            let rows = try await pool.query("")
            let results = try await pool.batch([])
            #expect(rows.isEmpty && results.isEmpty)
        }
    }

    @Test("a pool that was shut down refuses calls, and lets running ones end")
    func shutdown() async throws {
        try await PostgresServer.shared.withDatabase { url in
            let pool = PostgresServer.pool(url)
            _ = try await pool.query("create table marks (n int)")
            let (started, starter) = AsyncStream.makeStream(of: Void.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await pool.transaction { transaction in
                        _ = try await transaction.query("insert into marks values (1)")
                        starter.finish()
                        try await eventually {
                            let error = await failure { try await pool.query("select 1") }
                            return (error as? PostgresError)?.code == .closed
                        }
                        _ = try await transaction.query("insert into marks values (2)")
                    }
                }
                group.addTask {
                    for await _ in started {}
                    await pool.shutdown()
                }
                try await group.waitForAll()
            }
            let error = await failure { try await pool.query("select 1") }
            #expect((error as? PostgresError)?.code == .closed)
            let other = PostgresServer.pool(url)
            #expect(try await other.query("select n from marks").count == 2)
            await other.shutdown()
        }
    }
}
