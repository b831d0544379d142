import Postgres
import TestSupport
import Testing

@Suite("PostgresTransaction") struct PostgresTransactionTests {
    private struct Refusal: Error {}

    private func withMarks(
        _ options: PostgresOptions = .test(), _ body: (PostgresPool) async throws -> Void
    ) async throws {
        try await PostgresServer.shared.withPool(options: options) { pool in
            _ = try await pool.query("create table marks (n int primary key)")
            try await body(pool)
        }
    }

    private func count(_ pool: PostgresPool) async throws -> Int {
        try await pool.query("select count(*) from marks")[0]["count"]
    }

    @Test("what a transaction did is kept when its body returns")
    func commit() async throws {
        try await withMarks { pool in
            let value = try await pool.transaction { transaction in
                _ = try await transaction.query("insert into marks values (\(1))")
                #expect(try await count(pool) == 0)
                _ = try await transaction.batch([
                    "insert into marks values (\(2))", "insert into marks values (\(3))",
                ])
                return try await transaction.query("select n from marks").count
            }
            #expect(value == 3)
            #expect(try await count(pool) == 3)
        }
    }

    @Test("what a transaction did is undone when its body throws")
    func rollback() async throws {
        try await withMarks(.test { $0.poolSize = 1 }) { pool async throws in
            let error = await failure {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("insert into marks values (1)")
                    throw Refusal()
                }
            }
            #expect(error is Refusal)
            #expect(try await count(pool) == 0)
        }
    }

    @Test("a swallowed error cannot pass for a commit")
    func swallowed() async throws {
        try await withMarks { pool in
            let error = await failure {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("insert into marks values (1)")
                    _ = try? await transaction.query("insert into marks values (1)")
                }
            }
            let refused = try #require(error as? PostgresError)
            #expect(refused.code == .transactionState)
            #expect(refused.sqlState == .inFailedSQLTransaction)
            #expect(try await count(pool) == 0)
        }
    }

    @Test("a statement for the commit runs with it, after all others")
    func atCommit() async throws {
        try await withMarks { pool in
            try await pool.transaction { transaction in
                _ = try await transaction.query("insert into marks values (1)")
                try transaction.atCommit("insert into marks select max(n) + 1 from marks")
                #expect(try await transaction.query("select n from marks").count == 1)
                _ = try await transaction.query("insert into marks values (5)")
            }
            let marks = try await pool.query("select n from marks order by n")
            #expect(try marks.map { try $0["n"] as Int } == [1, 5, 6])
        }
    }

    @Test("a statement for the commit that fails undoes all, and says why; the pool goes on")
    func atCommitFailing() async throws {
        try await withMarks(.test { $0.poolSize = 1 }) { pool in
            let error = await failure {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("insert into marks values (1)")
                    try transaction.atCommit("insert into marks values (1)")
                }
            }
            #expect((error as? PostgresError)?.sqlState == .uniqueViolation)
            try await eventually { (try? await count(pool)) == 0 }
        }
    }

    @Test("a statement for the commit neither runs after a swallowed error nor without a beginning")
    func atCommitRefused() async throws {
        try await withMarks { (pool) async throws in
            let refused = await failure {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("insert into marks values (1)")
                    _ = try? await transaction.query("insert into marks values (1)")
                    try transaction.atCommit("insert into marks values (2)")
                }
            }
            #expect((refused as? PostgresError)?.code == .transactionState)
            let early = await failure {
                try await pool.transaction { try $0.atCommit("insert into marks values (3)") }
            }
            #expect((early as? PostgresError)?.code == .transactionState)
            #expect(try await count(pool) == 0)
        }
    }

    @Test("a constraint that is checked at the commit fails it")
    func deferred() async throws {
        try await withMarks { pool in
            _ = try await pool.query(
                """
                create table links (
                    n int references marks (n) deferrable initially deferred)
                """)
            let error = await failure {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("insert into links values (9)")
                }
            }
            #expect((error as? PostgresError)?.sqlState == .foreignKeyViolation)
            #expect(try await pool.query("select n from links").isEmpty)
        }
    }

    @Test("a transaction that was kept beyond its body does nothing")
    func escaped() async throws {
        try await withMarks { pool in
            let kept = try await pool.transaction { transaction in
                _ = try await transaction.query("insert into marks values (1)")
                return transaction
            }
            let error = await failure { try await kept.query("insert into marks values (2)") }
            #expect((error as? PostgresError)?.code == .transactionState)
            #expect(try await count(pool) == 1)
        }
    }

    @Test("a commit in the body is an error, and nothing runs after it")
    func strayCommit() async throws {
        try await withMarks { pool async throws in
            let error = await failure {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("insert into marks values (1)")
                    _ = try? await transaction.query("commit")
                    _ = try await transaction.query("insert into marks values (2)")
                }
            }
            #expect((error as? PostgresError)?.code == .transactionState)
            #expect(try await count(pool) == 1)
        }
    }

    @Test("a transaction without statements needs no server")
    func empty() async throws {
        let pool = PostgresServer.pool("postgresql://127.0.0.1:1/none")
        #expect(try await pool.transaction { _ in 7 } == 7)
        await pool.shutdown()
    }

    @Test("a cancelled transaction stops its statement and is undone")
    func cancelled() async throws {
        try await withMarks(.test { $0.poolSize = 2 }) { pool in
            let (started, starter) = AsyncStream.makeStream(of: Void.self)
            let clock = ContinuousClock()
            let begin = clock.now
            let code = await withTaskGroup(of: PostgresError.Code?.self) { group in
                group.addTask {
                    let error = await failure {
                        try await pool.transaction { transaction in
                            _ = try await transaction.query("insert into marks values (1)")
                            starter.finish()
                            _ = try await transaction.query("select pg_sleep(25)")
                        }
                    }
                    return (error as? PostgresError)?.code
                }
                for await _ in started {}
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(code == .cancelled)
            #expect(begin.duration(to: clock.now) < .seconds(20), "the statement ran to its end")
            #expect(try await count(pool) == 0)
            // The row's lock is gone too.
            _ = try await pool.query("insert into marks values (1)")
        }
    }

    @Test("other calls wait for a transaction's connection and are not drawn into it")
    func isolation() async throws {
        try await withMarks(.test { $0.poolSize = 2 }) { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        let error = await failure {
                            try await pool.transaction { transaction in
                                _ = try await transaction.query(
                                    "insert into marks values (\(number))")
                                if number.isMultiple(of: 2) { throw Refusal() }
                            }
                        }
                        #expect((error is Refusal) == number.isMultiple(of: 2))
                    }
                    group.addTask {
                        _ = try await pool.query("insert into marks values (\(1_000 + number))")
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await count(pool) == 60)
        }
    }

    @Test("statements of one transaction started at once run one after another")
    func parallelStatements() async throws {
        try await withMarks { pool in
            try await pool.transaction { transaction in
                async let first = transaction.query("insert into marks values (1)")
                async let second = transaction.query("insert into marks values (2)")
                async let third = transaction.query("insert into marks values (3)")
                _ = try await [first, second, third]
            }
            #expect(try await count(pool) == 3)
        }
    }

    @Test("serializable transactions that collide are told to try again")
    func serializable() async throws {
        try await withMarks { pool in
            let error = await failure {
                try await pool.transaction(isolation: .serializable) { one in
                    _ = try await one.query("select count(*) from marks")
                    try await pool.transaction(isolation: .serializable) { two in
                        _ = try await two.query("select count(*) from marks")
                        _ = try await two.query("insert into marks values (1)")
                    }
                    _ = try await one.query("insert into marks values (2)")
                }
            }
            let refused = try #require(error as? PostgresError)
            #expect(refused.sqlState == .serializationFailure)
            #expect(refused.isTransient)
        }
    }

    @Test("a script of several statements runs inside the transaction")
    func script() async throws {
        try await withMarks { pool in
            let script = PostgresQuery(
                trustedSQL: "insert into marks values (1); insert into marks values (2);\n-- end",
                name: "test.script")
            try await pool.transaction { try await $0.script(script) }
            #expect(try await count(pool) == 2)
            let error = await failure {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("insert into marks values (3)")
                    try await transaction.script(
                        PostgresQuery(
                            trustedSQL: "insert into marks values (4); select 1/0",
                            name: "test.broken"))
                }
            }
            let refused = try #require(error as? PostgresError)
            #expect(refused.sqlState == .divisionByZero && refused.queryName == "test.broken")
            #expect(try await count(pool) == 2)
        }
    }
}
