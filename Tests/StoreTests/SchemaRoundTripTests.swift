import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("The schema, forth and back")
struct SchemaRoundTripTests {
    @Test("taking every migration back and applying it again leaves the same schema")
    func roundTrip() async throws {
        try await PostgresServer.shared.withDatabase { url in
            let pool = PostgresServer.pool(url)
            let migrator = Migrator(pool: pool)
            let steps = Migrations.all.count
            var forth: [String] = []
            for migration in Migrations.all {
                _ = try await migrator.up(to: migration.version)
                forth.append(try await Self.dump(url))
            }
            for part in [
                "CREATE TABLE public.ledger", "CREATE TABLE backhaul.inbox",
                "CREATE FUNCTION backhaul.receive",
                "ALTER TABLE ONLY public.webhook_attempts ATTACH PARTITION",
            ] {
                #expect(forth.last?.contains(part) == true, "\(part)")
            }
            for step in stride(from: steps - 1, through: 1, by: -1) {
                _ = try await migrator.down()
                #expect(
                    try await Self.dump(url) == forth[step - 1], "after taking \(step + 1) back")
            }
            _ = try await migrator.down()
            _ = try await migrator.up()
            #expect(try await Self.dump(url) == forth.last)
            await pool.shutdown()
        }
    }

    /// The schema as text, without the random tokens that newer versions of pg_dump add.
    private static func dump(_ url: String) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try ChildProcess.path(of: "pg_dump"))
        process.arguments = ["--schema-only", "--dbname", url]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "pg_dump failed")
        return String(decoding: data, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.hasPrefix("\\restrict") && !$0.hasPrefix("\\unrestrict") }
            .joined(separator: "\n")
    }
}
