import Broker
import JobModel
import Redis
import TestSupport
import Testing
import Worker

@Suite("A worker in somebody else's service")
struct JobWorkerTests {
    @Test("it runs the jobs it was given, and ends when it is told to")
    func works() async throws {
        let server = try await QueueServer()
        var options = JobWorkerOptions(queues: ["work"])
        options.results.areExtended = true
        options.name = "billing@here"
        let worker = try JobWorker(
            redis: server.url,
            jobs: [RegisteredJob("billing.double") { (number: Int, _) in try .done(number * 2) }],
            options: options, logger: .silent)
        let id = JobID("one")
        try await server.broker.enqueue([
            OutgoingMessage(
                id: id, name: "billing.double", body: MessageBody(args: [21], kwargs: [:]),
                queue: "work")
        ])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            try await eventually { try await server.states(of: [id]) == ["SUCCESS"] }
            worker.drain()
            try await group.waitForAll()
        }
        let reply = try await server.raw.send(RedisCommand("GET", "celery-task-meta-one"))
        let record = try JSONValue(parsing: try #require(reply.bytes))
        #expect(record["result"] == 42)
        #expect(record["worker"] == "billing@here")
    }

    @Test("an address that cannot be used is refused at once")
    func badAddress() {
        let error = #expect(throws: JobWorkerError.self) {
            _ = try JobWorker(redis: "http://127.0.0.1", jobs: [], logger: .silent)
        }
        #expect(error?.code == .address)
    }
}
