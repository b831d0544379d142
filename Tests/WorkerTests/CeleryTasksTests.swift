import JobModel
import TestSupport
import Testing

@testable import Worker

@Suite("The tasks that every Celery worker has")
struct CeleryTasksTests {
    private struct Pair: Decodable {
        let x: Int
        let y: Int
    }

    private let registry: JobRegistry = {
        let registry = JobRegistry([
            RegisteredJob("test.add") { (given: Pair, _) in try .done(given.x + given.y) },
            RegisteredJob("test.double") { (number: Int, _) in try .done(number * 2) },
            RegisteredJob("test.later") { (_: RawArguments, context) in
                .snooze(until: context.time.now)
            },
        ])
        return registry.adding(builtIns: CeleryTasks.all(over: registry))
    }()

    private func run(
        _ name: JobName, _ args: [JSONValue] = [], _ kwargs: JSONObject = [:]
    ) async throws -> Verdict {
        let job = try #require(registry[name])
        let context = JobContext(
            id: JobID("one"), name: name, queue: .celery, attempt: 1, maximumAttempts: 1,
            logger: .silent, time: SystemTime())
        return try await job.run(MessageBody(args: args, kwargs: kwargs), in: context)
    }

    private func signature(_ name: JobName) -> JSONValue { Signature(name).json }

    @Test("accumulate returns its arguments, or the one at its index")
    func accumulate() async throws {
        let none = try await run("celery.accumulate", [1, 2])
        let first = try await run("celery.accumulate", [[1, 2]], ["index": 0])
        let last = try await run("celery.accumulate", [1, 2], ["index": -1])
        #expect(none == .finished(result: [1, 2]))
        #expect(first == .finished(result: [1, 2]))
        #expect(last == .finished(result: 2))
        await #expect(throws: PermanentFailure.self) {
            _ = try await run("celery.accumulate", [1], ["index": 1])
        }
    }

    @Test("map and starmap run a job for each item")
    func map() async throws {
        let doubled = try await run(
            "celery.map", [], ["task": signature("test.double"), "it": [1, 2, 3]])
        let sums = try await run(
            "celery.starmap", [], ["task": signature("test.add"), "it": [[1, 2], [3, 4]]])
        #expect(doubled == .finished(result: [2, 4, 6]))
        #expect(sums == .finished(result: [3, 7]))
    }

    @Test("a map of a job that this worker has not fails as an unknown job does")
    func unknown() async throws {
        let error = await #expect(throws: PermanentFailure.self) {
            _ = try await run("celery.map", [], ["task": signature("test.none"), "it": [1]])
        }
        #expect(error?.exception?.name == "NotRegistered")
        #expect(error?.exception?.arguments == ["test.none"])
    }

    @Test("what is put off cannot be waited for inside a map")
    func putOff() async throws {
        await #expect(throws: PermanentFailure.self) {
            _ = try await run("celery.map", [], ["task": signature("test.later"), "it": [1]])
        }
    }

    @Test("a job of the worker's own goes before the one of that name that every worker has")
    func own() async throws {
        let own = JobRegistry([
            RegisteredJob("celery.ping", policy: JobPolicy(queue: "mine")) {
                (_: RawArguments, _) in .done
            }
        ])
        let all = own.adding(builtIns: CeleryTasks.all(over: own))
        #expect(all["celery.ping"]?.policy.queue.text == "mine")
        #expect(all["celery.accumulate"] != nil)
    }
}
