import Broker
import Enqueue
import JobModel
import TestSupport
import Testing

@Suite("The network to Redis vanishes under a worker", .serialized, .timeLimit(.minutes(5)))
struct BlackHoleTests {
    /// Longer than every lease and every timeout.
    private static let hole = Duration.seconds(12)
    /// Shorter than what notices a hole, so that it is noticed only after it has ended.
    private static let shortHoles: [Duration] = [.milliseconds(100), .seconds(2), .seconds(5)]
    /// What operators are promised.
    private static let recovery = Duration.seconds(15)
    private static let patience = Duration.seconds(60)

    private struct Scene {
        let queues: QueueServer
        let proxy: TCPProxy
        let worker: BackhaulProcess
        let clock = ContinuousClock()

        init() async throws {
            queues = try await QueueServer()
            proxy = try await TCPProxy.start(to: queues.redis.port)
            worker = try BackhaulProcess.worker(redis: proxy.redisURL)
        }

        /// Enqueues past the proxy.
        func enqueue(_ count: Int) async throws -> [JobID] {
            let enqueuer = Enqueuer(broker: queues.broker)
            var ids: [JobID] = []
            for _ in 0..<count { ids.append(try await enqueuer.enqueue("backhaul.ping")) }
            return ids
        }

        func done(_ ids: [JobID], within limit: Duration) async throws {
            try await eventually(within: limit, "a result of each of \(ids.count) jobs") {
                try await queues.resultCount(of: ids) == ids.count
            }
        }

        /// Lets the network vanish for a while, with jobs coming, and times the recovery.
        func vanish(
            _ loss: TCPProxy.Loss, for hole: Duration = BlackHoleTests.hole, before: [JobID]
        ) async throws -> Duration {
            try await proxy.set(.blackHole(loss))
            let start = clock.now
            var ids = before
            try await eventually(within: BlackHoleTests.patience, "the end of the hole") {
                ids += try await enqueue(1)
                return clock.now - start >= hole
            }
            try await proxy.set(.pass)
            let back = clock.now
            try await done(ids, within: BlackHoleTests.patience)
            let taken = clock.now - back
            try await eventually(within: BlackHoleTests.patience, "the end of all work") {
                let inFlight = try await queues.broker.inFlight()
                return try await queues.waiting(in: .celery) + inFlight == 0
            }
            #expect(try await queues.states(of: ids).allSatisfy { $0 == "SUCCESS" })
            return taken
        }
    }

    @Test(
        "an idle worker works again within 15 seconds of the network's return, and nothing is lost",
        arguments: [TCPProxy.Loss.dropped, .held])
    func idle(loss: TCPProxy.Loss) async throws {
        let scene = try await Scene()
        try await scene.done(try await scene.enqueue(1), within: Self.patience)
        try await eventually(within: Self.patience, "the waiting on every list") {
            try await scene.queues.blockedClients() >= 8
        }
        let taken = try await scene.vanish(loss, before: [])
        print("idle, bytes \(loss): recovered \(taken) after the network came back")
        #expect(taken < Self.recovery)
        #expect(try await scene.worker.stop().code == 0)
    }

    @Test(
        "a busy worker works again within 15 seconds of the network's return, and nothing is lost",
        arguments: [TCPProxy.Loss.dropped, .held])
    func busy(loss: TCPProxy.Loss) async throws {
        let scene = try await Scene()
        let ids = try await scene.enqueue(3000)
        try await eventually(within: Self.patience, "jobs under way") {
            try await scene.queues.resultCount(of: ids) >= 100
        }
        let taken = try await scene.vanish(loss, before: ids)
        print("busy, bytes \(loss): recovered \(taken) after the network came back")
        #expect(taken < Self.recovery)
        #expect(try await scene.worker.stop().code == 0)
    }

    @Test("a hole that is over before it is noticed costs no more than 15 seconds either")
    func short() async throws {
        let scene = try await Scene()
        for hole in Self.shortHoles {
            try await scene.done(try await scene.enqueue(1), within: Self.patience)
            try await eventually(within: Self.patience, "the waiting on every list") {
                try await scene.queues.blockedClients() >= 8
            }
            let taken = try await scene.vanish(.dropped, for: hole, before: [])
            print("idle, a hole of \(hole): recovered \(taken) after it")
            #expect(taken < Self.recovery)
        }
        #expect(try await scene.worker.stop().code == 0)
    }
}
