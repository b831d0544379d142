import Foundation
import Postgres
import TestSupport
import Testing

@Suite("Outages") struct OutageTests {
    @Test("a server killed under a query costs that query, and the pool recovers")
    func killed() async throws {
        let server = try await PostgresServer.start()
        let pool = PostgresServer.pool(server.url)
        let observer = PostgresServer.pool(server.url)
        let error = try await withThrowingTaskGroup(of: PostgresError?.self) { group in
            group.addTask {
                await failure { try await pool.query("select pg_sleep(25)") } as? PostgresError
            }
            try await eventually {
                try await !observer.query(
                    "select 1 from pg_stat_activity where wait_event = 'PgSleep'"
                ).isEmpty
            }
            await server.kill()
            return try await group.next() ?? nil
        }
        #expect(error?.code == .connectionLost)
        #expect(error?.mayHaveRun == true)
        #expect(error?.isTransient == true)

        let down = await failure { try await pool.query("select 1") } as? PostgresError
        #expect(down?.code == .connect)

        try await server.restart()
        try await eventually { (try? await pool.query("select 1")) != nil }
        await pool.shutdown()
        await observer.shutdown()
        await server.remove()
    }

    @Test("a transaction whose server stops is lost whole, and its later statements do nothing")
    func lostTransaction() async throws {
        let server = try await PostgresServer.start()
        let pool = PostgresServer.pool(server.url) { $0.poolSize = 1 }
        _ = try await pool.query("create table marks (n int)")
        let error = await failure {
            try await pool.transaction { transaction in
                _ = try await transaction.query("insert into marks values (1)")
                try await server.restart()
                let lost = await failure {
                    try await transaction.query("insert into marks values (2)")
                }
                #expect((lost as? PostgresError)?.code == .connectionLost)
                _ = try await transaction.query("insert into marks values (3)")
            }
        }
        #expect((error as? PostgresError)?.code == .connectionLost)
        try await eventually { (try? await pool.query("select 1")) != nil }
        #expect(try await pool.query("select n from marks").isEmpty)
        await pool.shutdown()
        await server.remove()
    }

    @Test("a server that ends a session says so")
    func terminated() async throws {
        try await PostgresServer.shared.withPool { pool in
            let error = await failure {
                try await pool.query("select pg_terminate_backend(pg_backend_pid())")
            }
            let lost = try #require(error as? PostgresError)
            #expect(lost.code == .connectionLost)
            #expect(lost.sqlState == .adminShutdown)
            _ = try await pool.query("select 1")
        }
    }

    @Test("an idle connection that the server closed is replaced without a word")
    func idleClosed() async throws {
        try await PostgresServer.shared.withPool(options: .test { $0.poolSize = 1 }) { pool in
            let observer = PostgresServer.pool(pool.options.conninfo)
            let pid: Int = try await pool.query("select pg_backend_pid() as pid")[0]["pid"]
            _ = try await observer.query("select pg_terminate_backend(\(pid)::int)")
            try await eventually {
                try await observer.query("select 1 from pg_stat_activity where pid = \(pid)")
                    .isEmpty
            }
            try await eventually {
                (try? await pool.query("select 1")) != nil
            }
            await observer.shutdown()
        }
    }

    @Test("an unreachable server is a connect error in time")
    func unreachable() async throws {
        let pool = PostgresServer.pool("postgresql://nobody:hunter2@127.0.0.1:1/none")
        let error = await failure { try await pool.query("select 1") } as? PostgresError
        #expect(error?.code == .connect)
        #expect(error.map { "\($0)".contains("hunter2") } == false)
        #expect(!"\(pool.options)".contains("hunter2"))
        #expect(pool.options.address == "127.0.0.1:1/none")
        await pool.shutdown()
    }

    @Test("a server that accepts and stays silent is given up after the connect timeout")
    func silent() async throws {
        let server = try await PostgresServer.start()
        server.pause()
        let pool = PostgresServer.pool(server.url) { $0.connectTimeout = .milliseconds(300) }
        let error = await failure { try await pool.query("select 1") } as? PostgresError
        #expect(error?.code == .connect)
        server.resume()
        try await eventually { (try? await pool.query("select 1")) != nil }
        await pool.shutdown()
        await server.remove()
    }

    /// Runs `statement` in a transaction of a task that is cancelled after `act`; nil if it succeeded.
    private func codeWhenCancelled(
        _ statement: PostgresQuery, on pool: PostgresPool, after act: () async throws -> Void
    ) async throws -> PostgresError.Code? {
        try await withThrowingTaskGroup(of: PostgresError.Code?.self) { group in
            group.addTask {
                let error = await failure {
                    try await pool.transaction { transaction in
                        _ = try await transaction.query(statement)
                    }
                }
                return (error as? PostgresError)?.code
            }
            try await act()
            group.cancelAll()
            return try await group.next() ?? nil
        }
    }

    /// Long enough to fail a test that waits for one of them.
    private static let patience = Duration.seconds(120)

    @Test("cancelling and shutting down do not wait for a connection", .timeLimit(.minutes(1)))
    func hungWhileConnecting() async throws {
        let server = try await PostgresServer.start()
        server.pause()
        let pool = PostgresServer.pool(server.url) { $0.connectTimeout = Self.patience }
        let code = try await codeWhenCancelled("select 1", on: pool) {}
        #expect(code == .cancelled)
        await pool.shutdown()
        server.resume()
        await server.remove()
    }

    @Test(
        "cancelling and shutting down do not wait for a server that takes no more connections",
        .timeLimit(.minutes(1)))
    func hungWhileRunning() async throws {
        let server = try await PostgresServer.start()
        let observer = PostgresServer.pool(server.url)
        let pool = PostgresServer.pool(server.url) {
            $0.statementTimeout = Self.patience
            $0.shutdownTimeout = .milliseconds(200)
        }
        let code = try await codeWhenCancelled("select pg_sleep(100)", on: pool) {
            try await eventually {
                try await !observer.query(
                    "select 1 from pg_stat_activity where wait_event = 'PgSleep'"
                ).isEmpty
            }
            server.pause()
        }
        #expect(code == .cancelled)
        await pool.shutdown()
        server.resume()
        await observer.shutdown()
        await server.remove()
    }

    @Test("a missing database and a bad URL are named as such")
    func misconfigured() async throws {
        let server = try await PostgresServer.shared
        let missing = PostgresServer.pool(server.url(database: "no_such"))
        let error = await failure { try await missing.query("select 1") } as? PostgresError
        #expect(error?.code == .connect)
        #expect(error?.sqlState == .invalidCatalogName)
        await missing.shutdown()

        let bad = PostgresServer.pool("postgresql://user:hunter2@[::1/none")
        let refused = await failure { try await bad.query("select 1") } as? PostgresError
        #expect(refused?.code == .connect)
        #expect(refused.map { "\($0)".contains("hunter2") } == false)
        #expect(throws: PostgresError.self) { try bad.options.validate() }
        await bad.shutdown()
    }
}
