import Broker
import Enqueue
import JobModel
import TestSupport
import Testing

@Suite("Drills in a worker", .serialized, .timeLimit(.minutes(5)))
struct DrillTests {
    private static let drills = ["worker.drills": "true"]

    private static func enqueue(
        _ name: JobName, _ kwargs: JSONObject = JSONObject(), on queues: QueueServer
    ) async throws -> JobID {
        var options = EnqueueOptions()
        options.queue = "drills"
        return try await Enqueuer(broker: queues.broker).enqueue(name, kwargs: kwargs, options)
    }

    private static func done(
        _ ids: [JobID], on queues: QueueServer, within limit: Duration = .seconds(60)
    ) async throws {
        try await eventually(within: limit, "the success of \(ids.count) jobs") {
            try await queues.states(of: ids).allSatisfy { $0 == "SUCCESS" }
        }
    }

    @Test("a worker with drills makes effects, and dies of drill.crash as by SIGKILL")
    func effectsAndCrash() async throws {
        let queues = try await QueueServer()
        try await ServiceDatabase.with(services: 0, on: .shared) { database in
            let worker = try BackhaulProcess.worker(
                redis: queues.url, database: database.url, queues: "drills",
                settings: Self.drills)
            try await Self.done([try await Self.enqueue("drill.prepare", on: queues)], on: queues)
            var ids: [JobID] = []
            for number in 1...20 {
                ids.append(
                    try await Self.enqueue(
                        "drill.effect",
                        ["number": .number(JSONNumber(number)), "fail_times": 1], on: queues))
            }
            try await Self.done(ids, on: queues)
            #expect(try await database.drillEffects() == (20, 20))
            _ = try await Self.enqueue("drill.crash", on: queues)
            #expect(try await worker.end(within: .seconds(60)).code == 128 + 9)
        }
    }

    @Test("a worker without drills refuses them, and goes on")
    func refused() async throws {
        let queues = try await QueueServer()
        let worker = try BackhaulProcess.worker(redis: queues.url, queues: "drills,celery")
        _ = try await Self.enqueue("drill.crash", on: queues)
        let ping = try await Enqueuer(broker: queues.broker).enqueue("backhaul.ping")
        try await Self.done([ping], on: queues)
        try await eventually(within: .seconds(30), "a message in quarantine") {
            try await queues.broker.inFlight() + queues.waiting(in: "drills") == 0
        }
        let ended = try await worker.stop()
        #expect(ended.code == 0)
        #expect(ended.errors.contains("job.unknown"))
    }
}
