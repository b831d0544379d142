import JobModel
import Jobs
import Postgres
import Store
import TestSupport
import Testing

@Suite("Forgetting effects")
struct PruneEffectsTests {
    private static func run(_ pool: PostgresPool) async throws -> Verdict {
        let ledger = PostgresEffectLedger(pool: pool)
        return try await PruneEffects(ledger: ledger, age: .seconds(86_400)).run(
            PruneEffects.Payload(), in: jobContext())
    }

    @Test("one run forgets more than a batch, and only what is old; a repeat forgets nothing")
    func batches() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            _ = try await pool.query(
                """
                insert into job_effects (job_id, fence, shown_at)
                select 'job-' || n, n, now() - make_interval(days => case when n > 12000
                    then 0 else 2 end)
                from generate_series(1, 12010) n
                """)
            #expect(try await Self.run(pool) == .done(["forgotten": 12_000]))
            #expect(try await Self.run(pool) == .done(["forgotten": 0]))
            let left = try await pool.query("select count(*) as count from job_effects")
            #expect(try left[0]["count"] == 10)
        }
    }

    @Test("a cancelled run stops between its batches")
    func cancelled() async throws {
        try await MigratedDatabase.with { pool in
            await withTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask {
                    await #expect(throws: CancellationError.self) { try await Self.run(pool) }
                }
            }
        }
    }
}
