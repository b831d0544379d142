import JobModel
import Logging
import Postgres
import Store
import TestSupport
import Testing

@testable import Backhaul

@Suite("Drills")
struct DrillTests {
    private static func context(_ fence: Int64 = 1, attempt: Int = 1) -> JobContext {
        JobContext(
            id: JobID("job-1"), name: "drill", queue: "drills", attempt: attempt,
            maximumAttempts: 51, fence: Fence(fence),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, time: SystemTime())
    }

    /// Runs a drill from its keyword arguments, as a worker would.
    private static func run(
        _ job: some Job, _ kwargs: JSONObject = JSONObject(), _ context: JobContext = context()
    ) async throws -> Verdict {
        try await RegisteredJob(job).run(MessageBody(args: [], kwargs: kwargs), in: context)
    }

    private static func withGround(
        fencing: EffectFencing = .on, _ body: (DrillEffect, PostgresPool) async throws -> Void
    ) async throws {
        try await MigratedDatabase.with { (pool) async throws in
            for _ in 0..<2 { #expect(try await run(DrillPrepare(pool: pool)) == .done) }
            let ground = DrillGround(pool: pool, worker: "here:1", fencing: fencing)
            try await body(DrillEffect(ground: ground), pool)
        }
    }

    private static func effects(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            """
            select concat_ws(' ', number, job_id, worker, fence) as line from drill_effects
            order by at
            """
        ).map { try $0["line"] }
    }

    @Test("an effect is one row, and a repeat adds none")
    func effect() async throws {
        try await Self.withGround { (job, pool) async throws in
            for fence in Int64(5)...6 {
                let verdict = try await Self.run(job, ["number": 7], Self.context(fence))
                #expect(verdict == .finished(result: 7))
            }
            #expect(try await Self.effects(pool) == ["7 job-1 here:1 5"])
        }
    }

    @Test("an effect without its fence is doubled by a repeat")
    func weakened() async throws {
        try await Self.withGround(fencing: .off) { (job, pool) async throws in
            for fence in Int64(5)...6 {
                _ = try await Self.run(job, ["number": 7], Self.context(fence))
            }
            #expect(
                try await Self.effects(pool) == ["7 job-1 here:1 5", "7 job-1 here:1 6"])
        }
    }

    @Test("an effect fails its first attempts when told to")
    func failTimes() async throws {
        try await Self.withGround { (job, pool) async throws in
            let kwargs: JSONObject = ["number": 1, "milliseconds": 1, "fail_times": 2]
            for attempt in 1...2 {
                await #expect(throws: DrillFailure.self) {
                    try await Self.run(job, kwargs, Self.context(attempt: attempt))
                }
            }
            #expect(try await Self.effects(pool).isEmpty)
            _ = try await Self.run(job, kwargs, Self.context(attempt: 3))
            #expect(try await Self.effects(pool).count == 1)
        }
    }

    @Test(
        "a sleep ends when it is cancelled; a hang, however it waits, does not",
        arguments: [
            false, true,
        ])
    func cancellation(block: Bool) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        await withTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask {
                await #expect(throws: CancellationError.self) {
                    try await Self.run(DrillSleep(), ["seconds": 3600])
                }
                await #expect(throws: Never.self) {
                    try await Self.run(
                        DrillHang(), ["seconds": 0.3, "block": .bool(block)])
                }
            }
        }
        #expect(start.duration(to: clock.now) >= .milliseconds(300))
    }

    @Test("a failure is for good only when it is asked for")
    func failures() async throws {
        await #expect(throws: DrillFailure.self) {
            try await Self.run(DrillFail(), ["message": "no"])
        }
        let permanent = await #expect(throws: PermanentFailure.self) {
            try await Self.run(DrillFail(), ["message": "no", "permanently": true])
        }
        #expect(permanent?.reason == "no")
    }

    @Test("allocated memory is kept")
    func allocation() async throws {
        let job = DrillAllocate()
        #expect(try await Self.run(job, ["mebibytes": 2]) == .finished(result: 2))
        #expect(try await Self.run(job, ["mebibytes": 1]) == .finished(result: 3))
    }

    @Test("lengths and sizes beyond measure are refused", arguments: [-1, 1e9, .infinity])
    func refused(number: Double) async throws {
        await #expect(throws: (any Error).self) {
            try await Self.run(DrillSleep(), ["seconds": .number(JSONNumber(number))])
        }
        await #expect(throws: (any Error).self) {
            try await Self.run(DrillAllocate(), ["mebibytes": .number(JSONNumber(number))])
        }
    }

    @Test("the fence is taken away only by its name, and only where drills are allowed")
    func weakening() {
        var settings = Settings()
        let name = Weakening.environmentName
        #expect(name == "BACKHAUL_TEST_WEAKEN")
        func fencing(_ environment: [String: String]) -> EffectFencing {
            Weakening(environment: environment, settings: settings).effectFencing
        }
        #expect(fencing([name: "fence"]) == .on)
        settings.worker.drills = true
        #expect(fencing([name: "brake,fence"]) == .off)
        #expect(fencing([name: "brake"]) == .on)
        #expect(fencing([:]) == .on)
    }

    @Test("every drill has a queue, and none is registered without a ground")
    func registration() {
        let pool = PostgresServer.pool(BackhaulProcess.noDatabase)
        let ground = DrillGround(pool: pool, worker: "", fencing: .on)
        let drills = Drills.registered(ground)
        #expect(Set(drills.map(\.name)) == Set(Drills.queues.keys))
        #expect(drills.allSatisfy { $0.policy.queue == Drills.queue })
        #expect(drills.allSatisfy { BuiltInJobs.queues[$0.name] == Drills.queue })
    }
}
