import Broker
import Enqueue
import JobModel
import TestSupport
import Testing

@Suite("Drills in a worker", .serialized, .timeLimit(.minutes(5)))
struct DrillTests {
    /// The wait outlasts the lease: a frozen worker's last blocking call may take what was put back.
    private static let drills = [
        "worker.drills": "true", "worker.lease_seconds": "2", "worker.lease_renewal_seconds": "0.5",
    ]

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
            let worker = try Self.drillWorker(queues, database)
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

    /// Runs `body` with a worker that has one slow `drill.effect` in its hands.
    private static func busyWorker(
        milliseconds: Int,
        _ body: (QueueServer, ServiceDatabase, BackhaulProcess, JobID) async throws -> Void
    ) async throws {
        let queues = try await QueueServer()
        try await ServiceDatabase.with(services: 0, on: .shared) { database in
            let worker = try drillWorker(queues, database)
            try await done([try await enqueue("drill.prepare", on: queues)], on: queues)
            let id = try await enqueue(
                "drill.effect",
                ["number": 1, "milliseconds": .number(JSONNumber(milliseconds))], on: queues)
            try await eventually(within: .seconds(30), "a job in the worker's hands") {
                try await queues.held(by: worker.pid) == 1
            }
            try await body(queues, database, worker, id)
        }
    }

    private static func drillWorker(
        _ queues: QueueServer, _ database: ServiceDatabase
    ) throws -> BackhaulProcess {
        try BackhaulProcess.worker(
            redis: queues.url, database: database.url, queues: "drills", settings: drills)
    }

    @Test("what took effect before its worker was killed is settled, and not run again")
    func recognised() async throws {
        try await Self.busyWorker(milliseconds: 600_000) {
            queues, database, worker, id in
            try await database.noteEffect(of: id, result: "1")
            _ = try await worker.kill()
            let next = try Self.drillWorker(queues, database)
            // Were it run, it would sleep for ten minutes.
            try await Self.done([id], on: queues)
            #expect(try await database.drillEffects() == (0, 0))
            #expect(try await next.stop().code == 0)
        }
    }

    @Test("a worker that was frozen past its lease and wakes up adds no second effect")
    func zombie() async throws {
        try await Self.busyWorker(milliseconds: 1500) { queues, database, worker, id in
            worker.pause()
            let next = try Self.drillWorker(queues, database)
            try await Self.done([id], on: queues)
            worker.resume()
            // Whatever it does about the job it had, it has done when it has stopped.
            #expect(try await worker.stop().code == 0)
            #expect(try await database.drillEffects() == (1, 1))
            #expect(try await next.stop().code == 0)
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
