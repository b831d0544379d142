import JobModel
import Postgres
import Store
import TestSupport
import Testing

@Suite("Effects of jobs, taken by SQL and forgotten")
struct EffectSQLTests {
    @Test("a worker in another language takes an effect once, and Swift sees its result")
    func function() async throws {
        try await EffectFixture.with { (fixture) async throws in
            #expect(try await fixture.markBySQL(1, of: "job-1"))
            #expect(try await !fixture.markBySQL(2, of: "job-1"))
            #expect(try await fixture.mark(3, as: EffectFixture.holder(10)) == 1)
            #expect(
                try await fixture.ledger.admit(Fence(11), of: JobID("job-1"))
                    == .tookEffect(result: 1))
            #expect(try await fixture.marks() == [1])
        }
    }

    @Test("it finds what Swift has done, and takes over what a shown fence did not do")
    func functionAfterSwift() async throws {
        try await EffectFixture.with { (fixture) async throws in
            try await fixture.mark(1, as: EffectFixture.holder(10))
            #expect(try await !fixture.markBySQL(2, of: "job-1"))
            #expect(try await !fixture.markBySQL(2, of: "job-1", fence: 99))
            #expect(try await fixture.marks() == [1])
            // A Swift worker died with it; the message went back, and Python knows no fence.
            _ = try await fixture.ledger.admit(Fence(10), of: JobID("job-2"))
            #expect(try await !fixture.markBySQL(1, of: "job-2", fence: 9))
            #expect(try await fixture.markBySQL(2, of: "job-2"))
            #expect(try await fixture.marks(of: "job-2") == [2])
            // The fence shown before still counts.
            #expect(try await fixture.ledger.admit(Fence(9), of: JobID("job-2")) != .open)
        }
    }

    @Test("without a result it leaves null, and rolled back it leaves nothing")
    func functionDefaults() async throws {
        try await EffectFixture.with { (fixture) async throws in
            await #expect(throws: BodyFailed.self) {
                try await fixture.pool.transaction { transaction in
                    _ = try await transaction.query("select backhaul_take_effect('job-1')")
                    throw BodyFailed()
                }
            }
            #expect(try await fixture.ledger.admit(Fence(1), of: JobID("job-1")) == .open)
            let rows = try await fixture.pool.query(
                "select backhaul_take_effect('job-1') as first")
            #expect(try rows[0]["first"] == true)
            #expect(
                try await fixture.ledger.admit(Fence(2), of: JobID("job-1"))
                    == .tookEffect(result: nil))
        }
    }

    @Test("old effects are forgotten in batches; young, locked and unfinished jobs keep theirs")
    func pruning() async throws {
        try await EffectFixture.with { (fixture) async throws in
            for job in 1...5 {
                try await fixture.mark(1, as: EffectFixture.holder(1, of: "old-\(job)"))
            }
            try await fixture.mark(1, as: EffectFixture.holder(1, of: "young"))
            // Its step is old, but the job was seen lately.
            try await fixture.mark(
                1, as: EffectFixture.holder(1, of: "going-on"), step: "one", isLast: false)
            _ = try await fixture.pool.query(
                """
                update job_effects set shown_at = now() - interval '3 days'
                where job_id like 'old-%' or step = 'one'
                """)
            func prune(limit: Int) async throws -> Int {
                try await fixture.ledger.prune(olderThan: .seconds(2 * 86_400), limit: limit)
            }
            #expect(try await prune(limit: 2) == 2)
            try await fixture.pool.transaction { transaction in
                let locked = try await transaction.query(
                    """
                    select from job_effects where job_id like 'old-%' order by job_id desc limit 1
                    for update
                    """)
                #expect(locked.count == 1)
                #expect(try await prune(limit: 10) == 2)
            }
            #expect(try await prune(limit: 10) == 1)
            #expect(try await prune(limit: 10) == 0)
            let left = try await fixture.pool.query(
                "select distinct job_id as id from job_effects order by 1")
            #expect(try left.map { try $0["id"] as String } == ["going-on", "young"])
            #expect(try await fixture.mark(2, as: EffectFixture.holder(2, of: "young")) == 1)
        }
    }

    @Test("the claims and the pruning find their rows by an index")
    func plans() async throws {
        try await EffectFixture.with { (fixture) async throws in
            _ = try await fixture.pool.query(
                """
                insert into job_effects (job_id, fence, shown_at)
                select 'job-' || n, n, now() - make_interval(secs => n)
                from generate_series(1, 20000) n
                """)
            _ = try await fixture.pool.query("analyze job_effects")
            let plan = try await fixture.pool.query(
                """
                explain select e.ctid from job_effects e
                where e.shown_at < now() - make_interval(secs => 19000)
                  and not exists (
                    select from job_effects j where j.job_id = e.job_id and j.step = ''
                      and e.step <> ''
                      and j.shown_at >= now() - make_interval(secs => 19000))
                order by e.shown_at limit 100
                for update of e skip locked
                """
            ).map { try $0["QUERY PLAN"] as String }.joined(separator: "\n")
            #expect(plan.contains("job_effects_shown_idx"), "\(plan)")
            #expect(!plan.contains("Seq Scan"), "\(plan)")
        }
    }
}
