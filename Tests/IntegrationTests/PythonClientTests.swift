import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@Suite("Python Celery sends and Swift works", .serialized, .timeLimit(.minutes(5)))
struct PythonClientTests {
    @Test("get() returns what a Swift worker answered")
    func ping() async throws {
        let fleet = try await MixedFleet()
        let worker = try BackhaulProcess.worker(redis: fleet.queues.url)
        let answer = try await fleet.celery.call(.init("backhaul.ping"))
        #expect(answer.state == "SUCCESS")
        #expect(answer.result == "pong")
        #expect(try await worker.stop().code == 0)
    }

    @Test("provisioning takes its service as positional and as keyword argument")
    func provisioning() async throws {
        let fleet = try await MixedFleet()
        try await ServiceDatabase.with(services: 43, on: .shared) { database in
            let worker = try BackhaulProcess.worker(
                redis: fleet.queues.url, database: database.url)
            let positional = try await fleet.celery.call(
                .init(MixedFleet.provisioning, args: [42]))
            let repeated = try await fleet.celery.call(
                .init(MixedFleet.provisioning, kwargs: ["service_id": 42]))
            let keyword = try await fleet.celery.call(
                .init(MixedFleet.provisioning, kwargs: ["service_id": 43]))
            let active: JSONValue = ["service_id": 42, "status": "active", "version": 1]
            #expect(positional.result == active)
            #expect(repeated.result == active)
            #expect(keyword.result["service_id"] == 43)
            #expect(try await database.effects() == .once(each: 2))
            #expect(try await worker.stop().code == 0)
        }
    }

    @Test("countdown=3 runs after three seconds and not before")
    func countdown() async throws {
        let fleet = try await MixedFleet()
        let worker = try BackhaulProcess.worker(redis: fleet.queues.url)
        let answer = try await fleet.celery.call(
            .init("backhaul.ping", options: ["countdown": 3]), timeout: 20)
        #expect(answer.result == "pong")
        let sent = try #require(answer.sentAt)
        let done = try #require(answer.doneAt)
        let wait = done.timeIntervalSince(sent)
        #expect(wait >= 3)
        #expect(wait < 10)
        print("countdown=3 ran after \(wait) s")
        #expect(try await worker.stop().code == 0)
    }

    @Test("a job that expired before it was sent is not run and is revoked")
    func expired() async throws {
        let fleet = try await MixedFleet()
        let worker = try BackhaulProcess.worker(redis: fleet.queues.url)
        let answer = try await fleet.celery.call(
            .init("backhaul.ping", options: ["expires": -10]))
        #expect(answer.state == "REVOKED")
        #expect(answer.error == "TaskRevokedError")
        let ended = try await worker.stop()
        #expect(ended.code == 0)
        #expect(ended.errors.contains("expired=1"))
        #expect(!ended.errors.contains("succeeded=1"))
    }

    @Test("priority 0 overtakes priority 9")
    func priority() async throws {
        let fleet = try await MixedFleet()
        let priorities = [9, 9, 9, 9, 9, 9, 5, 0]
        let ids = try await fleet.celery.send(
            priorities.map {
                .init("backhaul.ping", options: ["priority": .number(JSONNumber($0))])
            })
        let worker = try BackhaulProcess.worker(redis: fleet.queues.url, concurrency: 1)
        let answers = try await fleet.celery.answers(of: ids)
        #expect(answers.allSatisfy { $0.result == "pong" })
        let done = try answers.map { try #require($0.doneAt) }
        #expect(zip(done, priorities).allSatisfy { time, _ in done[7] <= time })
        let log = try await worker.stop().errors
        // Times have microseconds and may be equal; the log has an order.
        let places = try ids.map { try #require(log.firstRange(of: "job.id=\($0)")).lowerBound }
        let inOrder = zip(places, priorities).sorted { $0.0 < $1.0 }.map(\.1)
        #expect(inOrder == [0, 5, 9, 9, 9, 9, 9, 9])
    }

    @Test("a name that nobody knows is NotRegistered to its caller and listed in quarantine")
    func unknownName() async throws {
        let fleet = try await MixedFleet()
        let worker = try BackhaulProcess.worker(redis: fleet.queues.url)
        let answer = try await fleet.celery.call(.init("isp_framework.no_such_job", args: [1]))
        #expect(answer.state == "FAILURE")
        #expect(answer.error == "NotRegistered")
        let quarantine = try await fleet.quarantine()
        #expect(quarantine.total == 1)
        let entry = try #require(quarantine.items.first)
        #expect(entry.id == answer.id)
        #expect(entry.name == "isp_framework.no_such_job")
        #expect(entry.code == "job.unknown")
        #expect(entry.message.contains("isp_framework.no_such_job"))
        #expect(try await worker.stop().code == 0)
    }

    @Test("a body that Python compressed with gzip runs")
    func compressed() async throws {
        let fleet = try await MixedFleet()
        let ids = try await fleet.celery.send([
            .init("backhaul.ping", options: ["compression": "gzip"])
        ])
        let message = try #require(try await fleet.queues.messages(in: .celery).first)
        #expect(message.raw.holds("application/x-gzip"))
        let worker = try BackhaulProcess.worker(redis: fleet.queues.url)
        #expect(try await fleet.celery.answers(of: ids)[0].result == "pong")
        #expect(try await worker.stop().code == 0)
    }

    @Test("a pickled message goes to quarantine as it was, and the worker lives")
    func pickled() async throws {
        let fleet = try await MixedFleet()
        let ids = try await fleet.celery.send([
            .init("backhaul.ping", options: ["serializer": "pickle"])
        ])
        let list = try await fleet.queues.raw.send(RedisCommand("LINDEX", "celery", -1))
        let original = try #require(list.bytes)
        #expect(original.holds("application/x-python-serialize"))
        let worker = try BackhaulProcess.worker(redis: fleet.queues.url)
        let refused = try await fleet.celery.answers(of: ids)[0]
        #expect(refused.state == "FAILURE")
        let entry = try #require(try await fleet.quarantine().items.first)
        #expect(entry.id == ids[0])
        #expect(try await fleet.original(of: entry) == original)
        #expect(entry.code == "body.content_type")
        #expect(try await fleet.celery.call(.init("backhaul.ping")).result == "pong")
        #expect(try await worker.stop().code == 0)
    }
}
