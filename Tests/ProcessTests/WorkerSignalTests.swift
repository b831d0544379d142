import Enqueue
import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Signals of a worker and of a scheduler", .serialized, .timeLimit(.minutes(5)))
struct WorkerSignalTests {
    private let queues: QueueServer

    init() async throws { queues = try await QueueServer() }

    private func worker(_ settings: [String: String] = [:]) async throws -> BackhaulProcess {
        let worker = try BackhaulProcess.worker(
            redis: queues.url, queues: "celery", settings: settings)
        try await worker.says("worker started")
        return worker
    }

    private func ping(_ count: Int = 1) async throws -> [JobID] {
        let enqueuer = Enqueuer(broker: queues.broker)
        var ids: [JobID] = []
        for _ in 0..<count { ids.append(try await enqueuer.enqueue("backhaul.ping")) }
        return ids
    }

    private func results(of ids: [JobID]) async throws {
        try await eventually(within: .seconds(20), "results") {
            try await queues.resultCount(of: ids) == ids.count
        }
    }

    private func starts(of process: BackhaulProcess, _ word: String = "worker started") -> Int {
        process.errors.ranges(of: word).count
    }

    @Test(
        "each of TERM, INT and QUIT ends an idle worker with 0",
        arguments: [SIGTERM, SIGINT, SIGQUIT])
    func stop(signal: Int32) async throws {
        let worker = try await worker()
        worker.signal(signal)
        #expect(try await worker.end(within: .seconds(20)).code == 0)
    }

    @Test(
        "USR2 and TTIN write the state to the log, and work goes on", arguments: [SIGUSR2, SIGTTIN])
    func dump(signal: Int32) async throws {
        let worker = try await worker()
        worker.signal(signal)
        try await worker.says("state of the worker")
        try await results(of: try await ping())
        #expect(try await worker.stop().code == 0)
    }

    @Test("HUP drains and starts anew, with the same process number")
    func anew() async throws {
        let worker = try await worker()
        worker.signal(SIGHUP)
        try await eventually(within: .seconds(20), "a second start") { starts(of: worker) == 2 }
        #expect(worker.errors.contains("told to start anew"))
        try await results(of: try await ping())
        let ended = try await worker.stop()
        #expect(ended.code == 0)
        #expect(ended.errors.ranges(of: ".\(worker.pid).").count >= 2)
    }

    @Test("a worker alone that has done enough starts anew, and no job is lost")
    func recycled() async throws {
        let worker = try await worker(["worker.recycle_after_jobs": "5"])
        let ids = try await ping(6)
        try await eventually(within: .seconds(20), "a second start") { starts(of: worker) >= 2 }
        try await results(of: ids)
        #expect(worker.errors.contains("recycling"))
        #expect(try await worker.stop().code == 0)
    }

    @Test("HUP with settings that cannot be used changes nothing")
    func unusable() async throws {
        let directory = try TemporaryDirectory(prefix: "backhaul-settings")
        let file = URL(fileURLWithPath: directory.path(of: "settings.yaml"))
        try Data("worker:\n  concurrency: 3\n".utf8).write(to: file)
        let worker = try BackhaulProcess([
            "worker", "--config", file.path, "--redis", queues.url, "--database",
            BackhaulProcess.noDatabase, "--queues", "celery",
        ])
        try await worker.says("worker started")
        try Data("worker:\n  concurrency: none\n".utf8).write(to: file)
        worker.signal(SIGHUP)
        try await worker.says("the settings cannot be used; going on with the old ones")
        try await results(of: try await ping())
        #expect(try await worker.stop().code == 0)
    }

    @Test(
        "TSTP and USR1 make a worker quiet: it takes nothing more, and stays",
        arguments: [SIGTSTP, SIGUSR1])
    func quiet(signal: Int32) async throws {
        let worker = try await worker()
        try await results(of: try await ping())
        worker.signal(signal)
        try await worker.says("told to be quiet")
        let ids = try await ping(3)
        worker.signal(SIGUSR2)
        try await worker.says("state of the worker")
        #expect(worker.isRunning)
        #expect(try await queues.resultCount(of: ids) == 0)
        #expect(try await queues.waiting(in: .celery) == 3)
        #expect(try await worker.stop().code == 0)
    }

    @Test("systemd hears that a worker is ready, alive, and ending")
    func notified() async throws {
        let listener = try NotifyListener()
        let worker = try BackhaulProcess(
            ["worker", "--redis", queues.url, "--database", BackhaulProcess.noDatabase],
            environment: ["NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "1000000"])
        try await eventually(within: .seconds(20), "readiness and signs of life") {
            let fields = listener.fields
            return fields.contains("READY=1") && fields.count { $0 == "WATCHDOG=1" } >= 2
        }
        #expect(listener.fields.contains { $0.hasPrefix("STATUS=working: 0 of 64 jobs") })
        #expect(try await worker.stop().code == 0)
        #expect(listener.fields.contains("STOPPING=1"))
    }

    @Test("systemd hears of a supervisor when all its workers are ready, and of no worker itself")
    func notifiedOfAll() async throws {
        let listener = try NotifyListener()
        let supervisor = try BackhaulProcess(
            [
                "worker", "--processes", "2", "--redis", queues.url, "--database",
                BackhaulProcess.noDatabase,
            ], environment: ["NOTIFY_SOCKET": listener.address])
        try await eventually(within: .seconds(30), "readiness") {
            listener.fields.contains("READY=1")
        }
        #expect(supervisor.errors.ranges(of: "worker started").count == 2)
        #expect(try await supervisor.stop().code == 0)
        #expect(listener.fields.count { $0 == "READY=1" } == 1)
        #expect(listener.fields.contains { $0.hasPrefix("STATUS=2 of 2 processes ready") })
    }

    @Test("a scheduler tells systemd, starts anew on HUP, and ends on TERM with 0")
    func scheduler() async throws {
        let listener = try NotifyListener()
        let directory = try TemporaryDirectory(prefix: "backhaul-schedule")
        let file = directory.path(of: "schedule.yaml")
        try Data(
            "entries:\n  beat:\n    job: backhaul.ping\n    every: 1h\n    queue: celery\n".utf8
        ).write(to: URL(fileURLWithPath: file))
        let scheduler = try BackhaulProcess(
            ["scheduler", "--redis", queues.url, "--schedule", file],
            environment: ["NOTIFY_SOCKET": listener.address])
        try await eventually(within: .seconds(20), "readiness") {
            listener.fields.contains("READY=1")
        }
        scheduler.signal(SIGHUP)
        try await eventually(within: .seconds(20), "a second start") {
            starts(of: scheduler, "scheduler started") == 2
        }
        try await eventually(within: .seconds(20), "readiness again") {
            listener.fields.count { $0 == "READY=1" } == 2
        }
        #expect(listener.fields.contains("RELOADING=1"))
        #expect(try await scheduler.stop().code == 0)
    }
}
