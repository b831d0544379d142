import Broker
import Enqueue
import JobModel
import Mailbox
import TestSupport
import Testing

@Suite("Redis goes away under a worker", .serialized, .timeLimit(.minutes(5)))
struct RedisOutageTests {
    @Test("a worker that starts while Redis is down works when Redis comes up")
    func late() async throws {
        let queues = try await QueueServer()
        try await queues.redis.kill()
        let worker = try BackhaulProcess.worker(redis: queues.url)
        try await worker.says("Redis cannot be reached", within: .seconds(30))
        #expect(worker.isRunning)
        try await queues.redis.restart()
        let clock = ContinuousClock()
        let start = clock.now
        let id = try await Enqueuer(broker: queues.broker).enqueue("backhaul.ping")
        try await eventually(within: .seconds(20), "the result") {
            try await queues.resultCount(of: [id]) == 1
        }
        print("the first job was done \(start.duration(to: clock.now)) after Redis came up")
        #expect(try await worker.stop().code == 0)
    }

    @Test("an outage is one line when it begins and one when it ends, whoever meets it")
    func oneLine() async throws {
        let queues = try await QueueServer()
        let worker = try BackhaulProcess.worker(redis: queues.url)
        let first = try await Enqueuer(broker: queues.broker).enqueue("backhaul.ping")
        try await eventually(within: .seconds(20), "the first job") {
            try await queues.resultCount(of: [first]) == 1
        }
        try await queues.redis.kill()
        try await worker.says("the broker cannot be used")
        try await queues.redis.restart()
        try await worker.says("the broker can be used again")
        let second = try await Enqueuer(broker: queues.broker).enqueue("backhaul.ping")
        try await eventually(within: .seconds(20), "the job after it") {
            try await queues.resultCount(of: [second]) == 1
        }
        let ended = try await worker.stop()
        #expect(ended.errors.split(separator: "the broker cannot be used").count == 2)
        #expect(ended.errors.split(separator: "the broker can be used again").count == 2)
        #expect(!ended.errors.contains("Redis is unreachable"))
    }

    private static let jobCount = 3000
    private static let doneBefore = 300

    @Test("nothing accepted is lost when Redis is killed and restarted")
    func restart() async throws {
        let queues = try await QueueServer(
            arguments: ["--appendonly", "yes", "--appendfsync", "always"])
        let ids = (0..<Self.jobCount).map { JobID("job-\($0)") }
        let worker = try BackhaulProcess.worker(redis: queues.url, concurrency: 8)
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await enqueue(ids, on: queues) }
            try await eventually(within: .seconds(60), "jobs under way") {
                try await queues.resultCount(of: ids) >= Self.doneBefore
            }
            try await queues.redis.restart()
            let refusals = try await group.next() ?? 0
            print("\(refusals) of \(Self.jobCount) had to be enqueued again")
        }
        try await eventually(within: .seconds(60), "a result of every job") {
            try await queues.resultCount(of: ids) == Self.jobCount
        }
        #expect(try await queues.states(of: ids).allSatisfy { $0 == "SUCCESS" })
        try await eventually(within: .seconds(30), "the end of all work") {
            let inFlight = try await queues.broker.inFlight()
            return try await queues.waiting(in: .celery) + inFlight == 0
        }
        #expect(try await worker.stop().code == 0)
    }

    /// Enqueues each job until Redis has accepted it; returns how many times it had not.
    private func enqueue(_ ids: [JobID], on queues: QueueServer) async throws -> Int {
        let enqueuer = Enqueuer(broker: queues.broker)
        var refusals = 0
        for id in ids {
            try await eventually(within: .seconds(30), "the acceptance of \(id)") {
                do throws(EnqueueError) {
                    try await enqueuer.enqueue("backhaul.ping", .id(id.text))
                    return true
                } catch {
                    guard error.code == .unavailable else { throw error }
                    refusals += 1
                    return false
                }
            }
        }
        return refusals
    }
}
