import JobModel
import Postgres
import Store
import TestSupport
import Testing

@Suite("Effects of jobs, with holders at once", .timeLimit(.minutes(5)))
struct EffectRaceTests {
    /// One run of a job, as chance has it.
    private struct Run: Sendable {
        let job: String
        let fence: Int64
        /// What it would write; no two runs the same.
        let value: Int64
        let isRepeat: Bool
        let fails: Bool
        let isPython: Bool
        let pause: Duration
    }

    /// What a run came to.
    private enum End: Sendable, Equatable {
        case value(Int64)
        case taken(Bool)
        case failed
        case fenced
    }

    private static let jobs = 40
    private static let rounds = 3

    @Test("whoever runs a job, in any order and at once: it takes effect once, and all agree")
    func interleavings() async throws {
        for _ in 0..<Self.rounds {
            var random = RepeatableRandom()
            let seed = random.seed
            let plans = (0..<Self.jobs).map { Self.plan("job-\($0)", using: &random) }
            try await EffectFixture.with { (fixture) async throws in
                let ends = await Self.runAll(
                    plans.flatMap(\.self).shuffled(using: &random), fixture)
                for plan in plans {
                    try await Self.check(plan, ends, fixture, seed)
                }
            }
        }
    }

    /// Two to five holders of one job; the last one is the true one, and does not fail.
    private static func plan(_ job: String, using random: inout RepeatableRandom) -> [Run] {
        let count = Int.random(in: 2...5, using: &random)
        return (1...count).map { number in
            let isLast = number == count
            return Run(
                job: job, fence: Int64(number), value: .random(in: 1...(.max), using: &random),
                isRepeat: number > 1 && Bool.random(using: &random),
                fails: !isLast && Int.random(in: 0..<3, using: &random) == 0,
                isPython: !isLast && Int.random(in: 0..<5, using: &random) == 0,
                pause: .microseconds(.random(in: 0...5000, using: &random)))
        }
    }

    private static func runAll(_ runs: [Run], _ fixture: EffectFixture) async -> [Int64: End] {
        await withTaskGroup(of: (Int64, End).self) { group in
            for run in runs { group.addTask { (run.value, await end(of: run, fixture)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private static func end(of run: Run, _ fixture: EffectFixture) async -> End {
        do {
            try await ContinuousClock().sleep(for: run.pause)
            if run.isPython {
                return .taken(try await fixture.markBySQL(run.value, of: run.job))
            }
            if run.isRepeat {
                switch try await fixture.ledger.admit(Fence(run.fence), of: JobID(run.job)) {
                case .open: break
                case .fenced: return .fenced
                case .tookEffect(let result): return .value(Int64(result.intValue ?? 0))
                }
            }
            let context = EffectFixture.holder(run.fence, of: run.job)
            return .value(
                try await fixture.mark(run.value, as: context) {
                    try await ContinuousClock().sleep(for: run.pause)
                    if run.fails { throw BodyFailed() }
                })
        } catch is BodyFailed {
            return .failed
        } catch is LeaseLost {
            return .fenced
        } catch {
            Issue.record("\(run): \(error)")
            return .failed
        }
    }

    private static func check(
        _ plan: [Run], _ ends: [Int64: End], _ fixture: EffectFixture, _ seed: UInt64
    ) async throws {
        let marks = try await fixture.marks(of: plan[0].job)
        let story = plan.map { "\($0) → \(ends[$0.value].map { "\($0)" } ?? "?")" }
        try #require(marks.count == 1, "seed \(seed): \(marks) by \(story)")
        #expect(ends[plan[plan.count - 1].value] == .value(marks[0]), "seed \(seed): \(story)")
        for run in plan {
            switch ends[run.value] {
            case .value(let value):
                #expect(value == marks[0], "seed \(seed): \(story)")
            case .taken(let taken):
                #expect(taken == (run.value == marks[0]), "seed \(seed): \(story)")
            case .failed, .fenced, nil:
                #expect(run.value != marks[0], "seed \(seed): \(story)")
            }
        }
    }

    @Test("sessions are cut off at any moment: a job repeated until it succeeds has one effect")
    func cutOff() async throws {
        let jobs = 60
        try await EffectFixture.with { (fixture) async throws in
            let observer = PostgresServer.pool(fixture.pool.options.conninfo) { $0.poolSize = 1 }
            let repeats = try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    // Ends when the jobs have.
                    while !Task.isCancelled {
                        _ = try? await observer.query(
                            """
                            select pg_terminate_backend(pid) from pg_stat_activity
                            where datname = current_database() and pid <> pg_backend_pid()
                              and random() < 0.3
                            """)
                        await Task.yield()
                    }
                    return 0
                }
                var repeats = 0
                await withTaskGroup(of: Int.self) { holders in
                    for job in 0..<jobs {
                        holders.addTask { await Self.insist("job-\(job)", fixture) }
                    }
                    for await count in holders { repeats += count }
                }
                group.cancelAll()
                try await group.waitForAll()
                return repeats
            }
            await observer.shutdown()
            #expect(repeats > 0, "nothing was ever cut off, which proves nothing")
            // The last sessions that were told to end may do so only now.
            var counts: PostgresRows?
            try await eventually("an answer") {
                counts = try? await fixture.pool.query(
                    "select count(*) as marks, count(distinct job_id) as jobs from marks")
                return counts != nil
            }
            let row = try #require(counts?.first)
            #expect(try row["marks"] == jobs)
            #expect(try row["jobs"] == jobs)
        }
    }

    /// Repeats a job, under rising fences, until it is done; returns how often it was cut off.
    private static func insist(_ id: String, _ fixture: EffectFixture) async -> Int {
        var fence: Int64 = 1
        while (try? await fixture.mark(fence, as: EffectFixture.holder(fence, of: id))) == nil {
            fence += 1
        }
        return Int(fence - 1)
    }

    @Test("a server that restarts between the writes and the commit leaves nothing, then all")
    func restart() async throws {
        let server = try await PostgresServer.start()
        let pool = PostgresServer.pool(server.url)
        _ = try await Migrator(pool: pool).up()
        let fixture = try await EffectFixture(on: pool)
        let error = await #expect(throws: PostgresError.self) {
            try await fixture.mark(1, as: EffectFixture.holder(1)) { try await server.restart() }
        }
        #expect(error?.code == .connectionLost)
        try await eventually(within: .seconds(30)) { (try? await pool.query("select 1")) != nil }
        #expect(try await fixture.marks().isEmpty)
        #expect(try await fixture.ledger.admit(Fence(2), of: JobID("job-1")) == .open)
        #expect(try await fixture.mark(2, as: EffectFixture.holder(2)) == 2)
        #expect(try await fixture.marks() == [2])
        await pool.shutdown()
        await server.remove()
    }

    @Test("a cancelled body leaves nothing, and the next run takes effect")
    func cancelled() async throws {
        try await EffectFixture.with { (fixture) async throws in
            await withTaskGroup(of: Void.self) { group in
                let (isInside, entered) = AsyncStream<Void>.makeStream()
                group.addTask {
                    await #expect(throws: (any Error).self) {
                        try await fixture.mark(1, as: EffectFixture.holder(1)) {
                            entered.finish()
                            try await ContinuousClock().sleep(for: .seconds(600))
                        }
                    }
                }
                for await _ in isInside {}
                group.cancelAll()
            }
            #expect(try await fixture.mark(2, as: EffectFixture.holder(1)) == 2)
            #expect(try await fixture.marks() == [2])
        }
    }
}
