import Broker
import Enqueue
import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Several worker processes under a supervisor", .serialized, .timeLimit(.minutes(5)))
struct SupervisorTests {
    private let queues: QueueServer

    init() async throws { queues = try await QueueServer() }

    private func supervisor(_ settings: [String: String] = [:]) throws -> BackhaulProcess {
        try .worker(
            redis: queues.url, queues: "celery",
            settings: ["worker.processes": "2"].merging(settings) { $1 })
    }

    /// Enqueues pings and waits for their results.
    private func ping(_ count: Int) async throws {
        let enqueuer = Enqueuer(broker: queues.broker)
        var ids: [JobID] = []
        for _ in 0..<count { ids.append(try await enqueuer.enqueue("backhaul.ping")) }
        try await eventually(within: .seconds(30), "\(count) results") {
            try await queues.resultCount(of: ids) == count
        }
    }

    /// The processes that the supervisor has started, the first one first.
    private func pids(_ supervisor: BackhaulProcess) -> [Int32] {
        supervisor.errors.matches(of: /a worker process started .*?process\.id=(\d+)/)
            .compactMap { Int32($0.1) }
    }

    private func count(_ text: String, in process: BackhaulProcess) -> Int {
        process.errors.ranges(of: text).count
    }

    private func started(_ count: Int, in supervisor: BackhaulProcess) async throws {
        try await eventually(within: .seconds(30), "\(count) workers") {
            self.count("worker started", in: supervisor) == count
        }
    }

    @Test("they work, one that is killed is replaced, and TERM ends all with 0")
    func replaced() async throws {
        let supervisor = try supervisor()
        try await started(2, in: supervisor)
        try await ping(20)
        for number in 1...2 {
            #expect(supervisor.errors.contains(try Regex("worker started .*process=\(number) ")))
        }
        let killed = try #require(pids(supervisor).first)
        Foundation.kill(killed, SIGKILL)
        try await started(3, in: supervisor)
        #expect(supervisor.errors.contains("exit=SIGKILL"))
        try await ping(20)
        let ended = try await supervisor.stop()
        #expect(ended.code == 0)
        #expect(ended.errors.ranges(of: "worker stopped").count == 2)
        #expect(try await queues.broker.inFlight() == 0)
    }

    @Test("when the supervisor is killed, they drain and end by themselves")
    func orphaned() async throws {
        let supervisor = try supervisor()
        try await started(2, in: supervisor)
        try await ping(5)
        _ = try await supervisor.kill()
        try await eventually(within: .seconds(20), "the end of both") {
            count("worker stopped", in: supervisor) == 2
        }
        #expect(count("the supervisor is gone; draining", in: supervisor) == 2)
        #expect(try await queues.broker.inFlight() == 0)
    }

    @Test("HUP replaces them one after the other, and work goes on")
    func rolling() async throws {
        let supervisor = try supervisor()
        try await started(2, in: supervisor)
        supervisor.signal(SIGHUP)
        try await ping(20)
        try await supervisor.says("worker processes replaced", within: .seconds(40))
        #expect(Set(pids(supervisor)).count == 4)
        try await ping(5)
        #expect(try await supervisor.stop().code == 0)
    }

    @Test("those that have done enough are replaced by fresh ones, and no job is lost")
    func recycled() async throws {
        let supervisor = try supervisor(["worker.recycle_after_jobs": "10"])
        try await started(2, in: supervisor)
        try await ping(40)
        try await supervisor.says("worker processes replaced", within: .seconds(40))
        #expect(supervisor.errors.contains("worker.recycle_after_jobs"))
        try await ping(5)
        #expect(try await supervisor.stop().code == 0)
    }

    @Test("a stop timeout within the grace period is refused, with its key and the reason")
    func rule() async throws {
        let ended = try await BackhaulProcess.run([
            "worker", "--processes", "2", "--set", "worker.grace_seconds=36",
        ])
        #expect(ended.code == 78)
        #expect(ended.errors.contains("supervisor.stop_timeout_seconds"))
        #expect(ended.errors.contains("40 is less than 36 + 5"))
    }

    @Test("a process that believes to have a supervisor and has none says so")
    func impostor() async throws {
        let ended = try await BackhaulProcess.run(
            ["worker"], environment: ["BACKHAUL_CHILD": "1"])
        #expect(ended.code == 1)
        #expect(ended.errors.contains("BACKHAUL_CHILD"))
    }
}
