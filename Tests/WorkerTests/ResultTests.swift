import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("What results tell")
struct ResultTests {
    private struct Trouble: Error {}

    private static let key = "celery-task-meta-job-1"

    private func record(_ fixture: WorkerFixture) async throws -> JSONValue? {
        let reply = try await fixture.raw.send(RedisCommand("GET", Self.key))
        return try reply.bytes.map { try JSONValue(parsing: $0) }
    }

    @Test("that a job has begun is written where it is wanted, with process and worker")
    func started() async throws {
        let gate = Gate()
        let options = WorkerOptions.with {
            $0.results.trackStarted = true
            $0.nodeName = "swift@here"
        }
        let fixture = try await WorkerFixture(options) { _, _ in
            await gate.pass()
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "STARTED" }
            let record = try #require(try await record(fixture))
            #expect(record["result"] == ["pid": 1, "hostname": "swift@here"])
            #expect(record["date_done"] == .null)
            gate.unlock()
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
        }
    }

    @Test("unless it is wanted, nothing is written before the end")
    func notStarted() async throws {
        let seen = Log<String?>()
        let server = Log<WorkerFixture>()
        let fixture = try await WorkerFixture { _, _ in
            seen.add(try await server.all.first?.status(of: 1))
            return .done
        }
        server.add(fixture)
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
        }
        #expect(seen.all == [nil])
    }

    @Test("a job may say in its own words how it stands, and its end overwrites that")
    func ownState() async throws {
        let gate = Gate()
        let fixture = try await WorkerFixture { _, context in
            try await context.report(state: "PROGRESS", ["done": 3, "of": 7])
            await gate.pass()
            return try .done("all")
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "PROGRESS" }
            #expect(try await record(fixture)?["result"] == ["done": 3, "of": 7])
            gate.unlock()
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
        }
        #expect(try await record(fixture)?["result"] == "all")
    }

    @Test("a success that was stored is overwritten by no other state")
    func successIsFinal() async throws {
        let fixture = try await WorkerFixture { _, context in
            try await context.report(state: "SUCCESS", "once")
            try await context.report(state: "PROGRESS", "too late")
            throw PermanentFailure("too late as well")
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run { try await eventually { try await fixture.isIdle() } }
        let record = try #require(try await record(fixture))
        #expect(record["status"] == "SUCCESS")
        #expect(record["result"] == "once")
    }

    @Test("an extended record tells what was asked of whom, with stamps")
    func extended() async throws {
        let options = WorkerOptions.with {
            $0.results.areExtended = true
            $0.nodeName = "swift@here"
        }
        let fixture = try await WorkerFixture(options) { _, _ in .done }
        let message = fixture.message(1) {
            $0.stampedHeaders = ["customer"]
            $0.stamps = ["customer": ["c-7"]]
            $0.retries = 1
        }
        try await fixture.broker.enqueue([message])
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
        }
        let record = try #require(try await record(fixture))
        #expect(record["name"] == .string(ProbeJob.name.text))
        #expect(record["args"] == [])
        #expect(record["kwargs"] == ["number": 1])
        #expect(record["worker"] == "swift@here")
        #expect(record["retries"] == 1)
        #expect(record["queue"] == "work")
        #expect(record["stamped_headers"] == ["customer"])
        #expect(record["customer"] == ["c-7"])
    }

    @Test(
        "the failure of a job whose result nobody wants is written only where that is asked for",
        arguments: [true, false])
    func ignoredErrors(isAskedFor: Bool) async throws {
        let options = WorkerOptions.with { $0.results.storesIgnoredErrors = isAskedFor }
        let fixture = try await WorkerFixture(options) { _, _ in throw PermanentFailure("no") }
        let message = fixture.message(1) { $0.ignoreResult = true }
        try await fixture.broker.enqueue([message])
        try await fixture.run { try await eventually { try await fixture.isIdle() } }
        #expect(try await fixture.status(of: 1) == (isAskedFor ? "FAILURE" : nil))
    }

    @Test("a message that comes again is not run when its result says that it succeeded")
    func storedSuccess() async throws {
        let begun = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            begun.add(payload.number ?? -1)
            return .done
        }
        let stored = #"{"status": "SUCCESS", "result": 42, "children": [[["x", null], null]]}"#
        _ = try await fixture.raw.send(RedisCommand("SET", Self.key, stored))
        let again = fixture.message(1)
        try await fixture.broker.enqueue([again])
        // As a worker that stored the result and died before it settled leaves it.
        let dead = WorkerID(host: "gone", processID: 2, random: 8)
        _ = try await fixture.broker.reserve(
            upTo: 1, for: dead, from: [ListAddress(queue: WorkerFixture.queue, step: 0)])
        _ = try await fixture.raw.send(RedisCommand("ZADD", "backhaul:workers", 1, dead.text))
        _ = try await fixture.broker.reportDeath(of: dead)
        try await fixture.run { try await eventually { try await fixture.isIdle() } }
        #expect(begun.all.isEmpty)
        #expect(try await record(fixture)?["result"] == 42)
        #expect(fixture.service.totals == ["repeated": 1])
    }

    @Test("failures may be kept for another time than results")
    func failureExpires() async throws {
        let server = try await QueueServer()
        var options = BrokerOptions()
        options.failureExpires = .seconds(100)
        options.resultExpires = .seconds(1000)
        let broker = try RedisBroker(url: server.url, options: options, logger: .silent)
        for (state, seconds) in [(ResultRecord.State.failure, 100), (.success, 1000)] {
            let id = JobID(state.name)
            try await broker.report(
                ResultRecord(state: state, id: id, result: .null, dateDone: Date()))
            let reply = try await server.raw.send(
                RedisCommand("TTL", "celery-task-meta-\(id.text)"))
            let left = try #require(reply.int)
            #expect((seconds - 30...seconds).contains(left))
        }
        await broker.close()
    }
}
