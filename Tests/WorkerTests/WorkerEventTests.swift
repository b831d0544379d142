import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("What a worker tells Celery's monitors")
struct WorkerEventTests {
    private static let all = WorkerOptions.with { options in
        options.nodeName = "backhaul@test"
        options.events.tellsOfTasks = true
    }

    @Test("a worker says that it is there, again and again, and that it is over")
    func worker() async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        let monitor = try await EventMonitor(fixture.server)
        try await monitor.listen {
            try await fixture.run {
                try await eventually { monitor.last("worker-heartbeat") != nil }
            }
            try await eventually { monitor.last("worker-offline") != nil }
        }
        let types = monitor.events.compactMap { $0["type"]?.stringValue }
        #expect(types.first == "worker-online")
        #expect(types.last == "worker-offline")
        #expect(types.allSatisfy { $0.hasPrefix("worker-") })
        let clocks = monitor.events.compactMap { $0["clock"]?.intValue }
        #expect(clocks == clocks.sorted() && Set(clocks).count == clocks.count)
    }

    @Test("switched off, nothing is told of jobs; switched on while it runs, everything is")
    func switching() async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        let monitor = try await EventMonitor(fixture.server)
        try await monitor.listen {
            try await fixture.run {
                try await fixture.broker.enqueue([fixture.message(1)])
                // Its end would be told after it is stored.
                try await eventually { fixture.service.totals["succeeded"] == 1 }
                let tasks = fixture.service.taskEvents
                #expect(!tasks.isEnabled)
                #expect(tasks.set(true))
                #expect(!tasks.set(true))
                try await fixture.broker.enqueue([fixture.message(2)])
                try await eventually { monitor.last("task-succeeded", of: "job-2") != nil }
                #expect(tasks.set(false))
            }
        }
        #expect(monitor.types(of: "job-1").isEmpty)
        #expect(
            monitor.types(of: "job-2") == ["task-received", "task-started", "task-succeeded"])
    }

    @Test("without heartbeats a worker tells of jobs only")
    func withoutHeartbeats() async throws {
        var options = Self.all
        options.events.sendsHeartbeats = false
        let fixture = try await WorkerFixture(options) { _, _ in .done }
        let monitor = try await EventMonitor(fixture.server)
        try await monitor.listen {
            try await fixture.run {
                try await fixture.broker.enqueue([fixture.message(1)])
                try await eventually { monitor.last("task-succeeded", of: "job-1") != nil }
            }
        }
        #expect(monitor.events.count == 3)
        #expect(monitor.events.allSatisfy { $0["hostname"] == "backhaul@test" })
    }

    @Test("every end of a job is told in Celery's words, once it is settled")
    func ends() async throws {
        let runs = Log<Int>()
        let fixture = try await WorkerFixture(Self.all) { payload, context in
            runs.add(payload.number ?? 0)
            switch payload.number {
            case 1: return .done
            case 2: throw PermanentFailure("no such invoice")
            case 3:
                guard context.attempt > 1 else { throw FixtureError("at first") }
                return .done
            case 4:
                try await untilCancelled()
                return .done
            case 5:
                return runs.all.count { $0 == 5 } > 1 ? .done : .requeued
            default: return .done
            }
        }
        let monitor = try await EventMonitor(fixture.server)
        try await monitor.listen {
            try await fixture.run {
                try await fixture.broker.enqueue(
                    (1...5).map { fixture.message($0) } + [
                        fixture.message(6) { $0.expires = Date(timeIntervalSince1970: 1) },
                        fixture.message(7) { $0.name = "nobody.knows" },
                    ])
                try await eventually { monitor.last("task-started", of: "job-4") != nil }
                _ = try await fixture.broker.cancel([JobID("job-4")])
                try await eventually("all ends") {
                    monitor.last("task-succeeded", of: "job-1") != nil
                        && monitor.last("task-failed", of: "job-2") != nil
                        && monitor.last("task-succeeded", of: "job-3") != nil
                        && monitor.last("task-revoked", of: "job-4") != nil
                        && monitor.last("task-succeeded", of: "job-5") != nil
                        && monitor.last("task-revoked", of: "job-6") != nil
                        && monitor.last("task-failed", of: "job-7") != nil
                }
            }
        }
        let beginning = ["task-received", "task-started"]
        let success = beginning + ["task-succeeded"]
        #expect(monitor.types(of: "job-1") == success)
        #expect(monitor.types(of: "job-2") == beginning + ["task-failed"])
        #expect(
            monitor.last("task-failed", of: "job-2")?["exception"]?.stringValue?
                .contains("no such invoice") == true)
        // The next run may begin before the end of the last is told.
        #expect(
            monitor.types(of: "job-3").sorted()
                == (beginning + ["task-retried"] + success).sorted())
        #expect(monitor.types(of: "job-4") == beginning + ["task-revoked"])
        #expect(monitor.last("task-revoked", of: "job-4")?["terminated"] == true)
        #expect(
            monitor.types(of: "job-5").sorted()
                == (beginning + ["task-rejected"] + success).sorted())
        #expect(monitor.types(of: "job-6") == ["task-received", "task-revoked"])
        #expect(monitor.last("task-revoked", of: "job-6")?["expired"] == true)
        #expect(monitor.types(of: "job-7") == ["task-received", "task-failed"])
        #expect(
            monitor.last("task-failed", of: "job-7")?["exception"]
                == "NotRegistered('nobody.knows')")
    }

    @Test("many jobs at once: every event arrives, in few messages")
    func many() async throws {
        let count = 500
        let fixture = try await WorkerFixture(Self.all) { _, _ in .done }
        let monitor = try await EventMonitor(fixture.server)
        try await monitor.listen {
            try await fixture.run {
                try await fixture.broker.enqueue((0..<count).map { fixture.message($0) })
                try await eventually(within: .seconds(30)) { try await fixture.isIdle() }
            }
            try await eventually { monitor.last("worker-offline") != nil }
        }
        let jobs = monitor.events.filter { $0["uuid"] != nil }
        #expect(jobs.count == 3 * count)
        for number in 0..<count {
            #expect(
                monitor.types(of: "job-\(number)")
                    == ["task-received", "task-started", "task-succeeded"])
        }
    }

    @Test("in an election it stands without hope, answers, and moves the clock")
    func election() async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        let monitor = try await EventMonitor(fixture.server)
        let body = #"{"type": "worker-elect", "id": "e1", "clock": 1000, "topic": "task"}"#
        let call: JSONValue = [
            "body": .string(Data(body.utf8).base64EncodedString()),
            "properties": ["body_encoding": "base64"],
        ]
        try await monitor.listen {
            try await fixture.run {
                try await eventually {
                    _ = try await fixture.raw.send(
                        RedisCommand("PUBLISH", "/0.celeryev/worker.elect", call.encoded()))
                    return monitor.last("worker-elect-ack") != nil
                }
            }
        }
        let answer = try #require(monitor.last("worker-elect-ack"))
        #expect(answer["id"] == "e1")
        #expect(try #require(answer["clock"]?.intValue) > 1000)
        // It stands too, once, and before it answers; the caller's time is lower and wins.
        let types = monitor.events.compactMap { $0["type"]?.stringValue }
        let own = monitor.events.filter { $0["sw_ident"] == "backhaul" && $0["topic"] == "task" }
        #expect(own.count == 1)
        #expect(try #require(own.first?["clock"]?.intValue) > 1000)
        let stood = try #require(
            monitor.events.firstIndex { $0["type"] == "worker-elect" && $0["sw_ident"] != nil })
        #expect(try #require(types.firstIndex(of: "worker-elect-ack")) > stood)
    }
}
