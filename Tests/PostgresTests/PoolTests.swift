import Postgres
import TestSupport
import Testing

@Suite struct PoolTests {
    @Test("a query answers")
    func query() async throws {
        try await PostgresServer.shared.withPool { pool in
            let rows = try await pool.query("select \(41) + 1 as answer, \("x'y") as text")
            let answer: Int = try rows[0]["answer"]
            #expect(answer == 42)
            #expect(try rows[0].decode("text", as: String.self) == "x'y")
        }
    }
}
