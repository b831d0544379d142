import Broker
import JobModel
import TestSupport
import Testing

@Suite("A worker is told to stop", .serialized, .timeLimit(.minutes(5)))
struct WorkerDrainTests {
    private static let jobCount = 10
    private static let concurrency = 4
    private static let patience = [
        "database.connect_timeout_seconds": "120", "database.statement_timeout_seconds": "120",
        "worker.grace_seconds": "120",
    ]

    private struct Scene {
        let queues: QueueServer
        let server: PostgresServer
        let database: ServiceDatabase
        let ids: [JobID]
        let worker: BackhaulProcess

        /// The jobs that wait, in the order in which they would be taken.
        func waiting() async throws -> [JobMessage] {
            try await queues.messages(in: .provisioning)
        }
    }

    /// Runs `body` with a worker in the middle of as many jobs as it runs at once, which wait for
    /// somebody's locks, and `afterwards` when the locks are gone.
    private func busyWorker(
        _ body: (Scene) async throws -> Void,
        afterwards: (Scene) async throws -> Void = { _ in }
    ) async throws {
        let queues = try await QueueServer()
        let server = try await PostgresServer.start()
        try await ServiceDatabase.with(services: Self.jobCount, on: server) { database in
            let ids = try await queues.provision(1...Self.jobCount)
            let worker = try BackhaulProcess.worker(
                redis: queues.url, database: database.url, queues: "provisioning",
                concurrency: Self.concurrency, settings: Self.patience)
            let scene = Scene(
                queues: queues, server: server, database: database, ids: ids, worker: worker)
            try await database.withServicesLocked {
                try await eventually(within: .seconds(20), "jobs that wait for locks") {
                    try await database.waitingForLocks() == Self.concurrency
                }
                try await body(scene)
            }
            try await afterwards(scene)
        }
        await server.remove()
    }

    @Test("TERM lets running jobs finish and takes no more")
    func drain() async throws {
        try await busyWorker { scene in
            scene.worker.terminate()
            try await scene.worker.says("draining")
            #expect(scene.worker.isRunning)
        } afterwards: { scene in
            let ended = try await scene.worker.end(within: .seconds(30))
            #expect(ended.code == 0)
            #expect(try await scene.queues.broker.inFlight() == 0)
            let effects = try await scene.database.effects()
            #expect(effects == .once(each: Self.concurrency))
            let waiting = try await scene.waiting()
            #expect(waiting.map(\.id) == Array(scene.ids.dropFirst(Self.concurrency)))
        }
    }

    /// Stopped, the database accepts connections and never answers: not even a cancellation.
    @Test(
        "a second TERM puts running jobs back at once, first in line and without an attempt",
        arguments: [false, true])
    func putBack(databaseIsStopped: Bool) async throws {
        try await busyWorker { scene in
            if databaseIsStopped { scene.server.pause() }
            defer { scene.server.resume() }
            scene.worker.terminate()
            try await scene.worker.says("draining")
            let clock = ContinuousClock()
            let start = clock.now
            scene.worker.terminate()
            try await eventually(within: .seconds(5), "the return of all messages") {
                try await scene.queues.broker.inFlight() == 0
            }
            let back = start.duration(to: clock.now)
            let ended = try await scene.worker.end(within: .seconds(15))
            let end = start.duration(to: clock.now)
            print("stopped: \(databaseIsStopped); messages back after \(back), end after \(end)")
            #expect(ended.code == 0)
            let waiting = try await scene.waiting()
            let ids = waiting.map(\.id)
            // Those that ran come first again, in whatever order they ended.
            #expect(Set(ids.prefix(Self.concurrency)) == Set(scene.ids.prefix(Self.concurrency)))
            #expect(ids.dropFirst(Self.concurrency) == scene.ids.dropFirst(Self.concurrency))
            #expect(waiting.allSatisfy { $0.retries == 0 })
        } afterwards: { scene in
            let effects = try await scene.database.effects()
            #expect(effects == .once(each: 0))
        }
    }
}
