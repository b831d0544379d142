import ArgumentParser
import Foundation
import Logging
import Postgres

/// Records effects of jobs in PostgreSQL, in batches, over one connection.
struct EffectBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "effects", abstract: "Records effects of jobs; the database: DATABASE_URL.")

    @Option(help: "How many rows.") var rows = 64_000
    @Option(help: "Rows in one batch, which is one implicit transaction.") var batch = 64

    func run() async throws {
        guard let url = ProcessInfo.processInfo.environment["DATABASE_URL"] else {
            throw ValidationError("DATABASE_URL is not set")
        }
        var options = PostgresOptions(url: url)
        options.poolSize = 1
        var logger = Logger(label: "benchmark")
        logger.logLevel = .warning
        let pool = PostgresPool(options: options, logger: logger)
        _ = try await pool.query("select 1")
        var ids = JobNumbers()
        let timing = ProcessTiming()
        var written = 0
        while written < rows {
            let count = min(batch, rows - written)
            let results = try await pool.batch((0..<count).map { _ in effect(of: ids.next()) })
            guard results.allSatisfy({ $0.affected == 1 }) else {
                throw ValidationError("a row was not written")
            }
            written += count
        }
        let (seconds, cpuSeconds) = timing.read()
        await pool.shutdown()
        try ProcessTiming.print(
            Outcome(rows: written, seconds: seconds, cpuSeconds: cpuSeconds))
    }

    private struct Outcome: Encodable {
        let rows: Int
        let seconds: Double
        let cpuSeconds: Double
    }

    /// The whole record of one job.
    private func effect(of id: String) -> PostgresQuery {
        let query: PostgresQuery = """
            insert into job_effects (job_id, fence, done_at, is_last, result)
            values (\(id), \(Int64(1)), now(), true, \(#"{"delivered":true}"#))
            """
        return query.named("benchmark.effect")
    }
}

/// Random ids like those of pgbench, and like it without asking the kernel for each.
private struct JobNumbers {
    private var state = UInt64.random(in: .min ... .max)

    /// Sebastiano Vigna's SplitMix64, cut to what is positive in PostgreSQL.
    mutating func next() -> String {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return String((mixed ^ (mixed >> 31)) >> 1)
    }
}
