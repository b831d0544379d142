import Broker
import Enqueue
import JobModel
import TestSupport
import Testing

@Suite("A worker full of jobs is told to stop", .serialized, .timeLimit(.minutes(3)))
struct WorkerStopTests {
    private static let running = 200
    private static let waiting = 100

    @Test("TERM during 200 one-second jobs: nothing is lost, no attempt burned, nothing new begun")
    func term() async throws {
        let queues = try await QueueServer()
        let ids = (0..<(Self.running + Self.waiting)).map { JobID("job-\($0)") }
        let enqueuer = Enqueuer(broker: queues.broker)
        let worker = try BackhaulProcess.worker(
            redis: queues.url, queues: "drills", concurrency: Self.running,
            settings: ["worker.drills": "true", "worker.batch_size": "128"])
        try await worker.says("worker started")
        for id in ids {
            try await enqueuer.nap(1, id)
        }
        try await eventually(within: .seconds(20), "200 jobs at once") {
            try await queues.held(by: worker.pid) >= Self.running
        }
        let doneBefore = try await queues.resultCount(of: ids)
        let clock = ContinuousClock()
        let start = clock.now
        worker.terminate()
        try await worker.says("draining")
        let late = JobID("late")
        try await enqueuer.nap(0, late)
        let ended = try await worker.end(within: .seconds(25))
        print("stopped in \(start.duration(to: clock.now)); \(doneBefore) were done before")
        #expect(ended.code == 0)
        let states = try await queues.states(of: ids)
        let done = states.count { $0 == "SUCCESS" }
        let left = try await queues.messages(in: "drills")
        #expect(done + left.count == ids.count + 1)
        #expect(done >= Self.running)
        #expect(left.contains { $0.id == late })
        #expect(left.allSatisfy { $0.retries == 0 && $0.deaths.isEmpty })
        let held = try await queues.broker.inFlight() + queues.broker.delayed()
        #expect(held == 0)
    }
}

extension Enqueuer {
    /// Enqueues a drill that sleeps.
    fileprivate func nap(_ seconds: Int, _ id: JobID) async throws {
        var options = EnqueueOptions.id(id.text)
        options.queue = "drills"
        try await enqueue(
            "drill.sleep", kwargs: ["seconds": .number(JSONNumber(seconds))], options)
    }
}
