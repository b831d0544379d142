import Broker
import Enqueue
import JobModel
import Redis
import TestSupport
import Testing

@Suite("A failover under a worker", .serialized, .timeLimit(.minutes(5)))
struct SentinelFailoverTests {
    private static let patience = Duration.seconds(60)

    @Test("a worker and a producer go on with the new master, and what it has of jobs is done")
    func failover() async throws {
        let group = try await SentinelGroup.start()
        let broker = try RedisBroker(url: group.url, options: BrokerOptions(), logger: .silent)
        let enqueuer = Enqueuer(broker: broker)
        let worker = try BackhaulProcess.worker(redis: group.url)
        let before = try await enqueuer.enqueue("backhaul.ping")
        try await done(before, on: group.servers[0])
        try await group.failOver()
        // Until the old master has heard of it, it may accept a job that is lost with it.
        try await eventually(within: Self.patience, "a job on the new master") {
            guard let id = try? await enqueuer.enqueue("backhaul.ping") else { return false }
            return (try? await done(id, on: group.servers[1], within: .seconds(5))) != nil
        }
        #expect(worker.isRunning)
        #expect(try await worker.stop().code == 0)
        await broker.close()
    }

    private func done(
        _ id: JobID, on server: RedisServer, within limit: Duration = patience
    ) async throws {
        let raw = try server.connection()
        try await eventually(within: limit, "the result of \(id)") {
            try await raw.send(RedisCommand("EXISTS", RedisKeys().result(of: id))).int == 1
        }
        await raw.close()
    }
}
