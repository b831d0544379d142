import Broker
import Enqueue
import JobModel
import TestSupport
import Testing

@Suite("A worker is killed", .serialized, .timeLimit(.minutes(5)))
struct WorkerCrashTests {
    private static let jobCount = 2000
    /// Done before one worker is killed: enough to be under way, few enough to lose much.
    private static let doneBefore = 200

    @Test(
        "kill -9 of one of two workers leaves 2,000 effects, each exactly once, within 30 seconds")
    func exactlyOnce() async throws {
        let queues = try await QueueServer()
        try await ServiceDatabase.with(services: Self.jobCount, on: .shared) { database in
            try await queues.provision(1...Self.jobCount)
            let workers = try (0..<2).map { _ in
                try BackhaulProcess.worker(
                    redis: queues.url, database: database.url, queues: "provisioning",
                    concurrency: 32)
            }
            try await eventually(within: .seconds(60), "work in both workers' hands") {
                let isUnderWay = try await database.effects().active >= Self.doneBefore
                let held = try await queues.held(by: workers[0].pid)
                let heldByOther = try await queues.held(by: workers[1].pid)
                return isUnderWay && held > 0 && heldByOther > 0
            }
            let killed = try await workers[0].kill()
            #expect(killed.code == 128 + 9)
            let clock = ContinuousClock()
            let start = clock.now
            let left = try await queues.held(by: workers[0].pid)
            let done = try await database.effects().active
            #expect(left > 0, "a worker that held nothing proves nothing")
            try await eventually(within: .seconds(30), "2,000 effects exactly once") {
                try await database.effects() == .once(each: Self.jobCount)
            }
            let wait = start.duration(to: clock.now)
            print(
                "killed with \(left) held and \(done) done; all \(Self.jobCount) done after \(wait)"
            )
            try await eventually("the end of all work") {
                let waiting = try await queues.waiting(in: .provisioning)
                let held = try await queues.broker.inFlight() + queues.broker.delayed()
                return waiting + held == 0
            }
            let ended = try await workers[1].stop()
            #expect(ended.code == 0)
            #expect(ended.errors.contains("put back jobs whose worker is gone"))
            #expect(try await database.effects() == .once(each: Self.jobCount))
        }
    }
}
