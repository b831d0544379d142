import Broker
import Enqueue
import Foundation
import JobModel
import TestSupport
import Testing

@Suite("A worker runs jobs that harm it", .serialized, .timeLimit(.minutes(5)))
struct WorkerFaultTests {
    private static let others = 100

    /// Enqueues a drill; those that must end have a second, and a second more.
    private func drill(
        _ name: JobName, _ id: String, _ kwargs: JSONObject = [:], on queues: QueueServer
    ) async throws {
        var options = EnqueueOptions.id(id)
        options.queue = "drills"
        if name == "drill.hang" { options.timeLimit = .seconds(1) }
        try await Enqueuer(broker: queues.broker).enqueue(name, kwargs: kwargs, options)
    }

    private func worker(
        _ queues: QueueServer, _ settings: [String: String] = [:], concurrency: Int = 4
    ) throws -> BackhaulProcess {
        try BackhaulProcess.worker(
            redis: queues.url, queues: "drills", concurrency: concurrency,
            settings: ["worker.drills": "true", "worker.hard_limit_margin_seconds": "1"]
                .merging(settings) { $1 })
    }

    private func others(of queues: QueueServer, _ count: Int = others) async throws -> [JobID] {
        let ids = (0..<count).map { JobID("other-\($0)") }
        for id in ids { try await drill("drill.sleep", id.text, ["seconds": 0.02], on: queues) }
        return ids
    }

    @Test("one that crashes its process is quarantined after the third crash; the others are done")
    func poison() async throws {
        let queues = try await QueueServer()
        try await drill("drill.crash", "killer", on: queues)
        let ids = try await others(of: queues)
        let worker = try worker(queues, ["worker.processes": "2"])
        try await eventually(within: .seconds(90), "the killer in quarantine") {
            try await queues.broker.buried(in: .quarantine, offset: 0, limit: 9).total == 1
        }
        try await eventually(within: .seconds(60), "the others' results") {
            try await queues.resultCount(of: ids) == ids.count
        }
        let found = try await queues.broker.buried(in: .quarantine, offset: 0, limit: 9).items
        #expect(found.map(\.id) == ["killer"])
        #expect(found.map(\.code) == ["poison.deaths"])
        #expect(found[0].message.hasPrefix("3 workers died holding it: "))
        #expect(try await queues.states(of: ids).allSatisfy { $0 == "SUCCESS" })
        #expect(try await worker.stop(within: .seconds(45)).code == 0)
        #expect(worker.errors.split(separator: "exit=SIGKILL").count == 4, "it crashed three times")
    }

    @Test("one that ignores its cancellation is cut off and the process started anew, others go on")
    func hang() async throws {
        let queues = try await QueueServer()
        let worker = try worker(queues, ["worker.grace_seconds": "2"])
        try await worker.says("worker started")
        try await drill("drill.hang", "hanging", ["seconds": 600], on: queues)
        let ids = try await others(of: queues)
        try await eventually(within: .seconds(60), "the end of the hanging job") {
            try await queues.states(of: [JobID("hanging")]) == ["FAILURE"]
        }
        try await eventually(within: .seconds(60), "the others' results") {
            try await queues.resultCount(of: ids) == ids.count
        }
        try await worker.says("the process will be started anew")
        try await drill("drill.sleep", "after", ["seconds": 0], on: queues)
        try await eventually(within: .seconds(60), "a job after the new start") {
            try await queues.states(of: [JobID("after")]) == ["SUCCESS"]
        }
        let dead = try await queues.broker.buried(in: .dead, offset: 0, limit: 9).items
        #expect(dead.map(\.code) == ["timeout.hard"])
        #expect(try await worker.stop().code == 0)
        #expect(worker.errors.split(separator: "worker started").count == 3, "started twice")
    }

    @Test("told to stop, a worker whose job ignores it puts the job back and ends for good")
    func stopsForGood() async throws {
        let queues = try await QueueServer()
        let worker = try worker(
            queues, ["worker.grace_seconds": "1", "worker.hard_limit_margin_seconds": "600"])
        try await worker.says("worker started")
        try await drill("drill.hang", "hanging", ["seconds": 600], on: queues)
        try await eventually(within: .seconds(20), "the job in its hands") {
            try await queues.held(by: worker.pid) == 1
        }
        #expect(try await worker.stop(within: .seconds(30)).code == 0)
        #expect(worker.errors.split(separator: "worker started").count == 2, "started once")
        let left = try await queues.messages(in: "drills")
        #expect(left.map(\.id.text) == ["hanging"])
        #expect(left.allSatisfy { $0.retries == 0 && $0.deaths.isEmpty })
    }

    @Test("as many as block every thread end the process, which is started anew")
    func blocked() async throws {
        let queues = try await QueueServer()
        let count = ProcessInfo.processInfo.activeProcessorCount
        let worker = try worker(queues, concurrency: count * 2)
        try await worker.says("worker started")
        for number in 0..<count {
            try await drill(
                "drill.hang", "blocking-\(number)", ["seconds": 600, "block": true], on: queues)
        }
        try await worker.says("jobs that were given up block every thread", within: .seconds(60))
        try await drill("drill.sleep", "after", ["seconds": 0], on: queues)
        try await eventually(within: .seconds(60), "a job after the new start") {
            try await queues.states(of: [JobID("after")]) == ["SUCCESS"]
        }
        _ = try await worker.kill()
    }
}
