import Broker
import Dispatch
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("Remote control of a worker")
struct RemoteControlTests {
    @Test(
        "a plain revocation lets a running job go on and stops one that waits; at once for Python")
    func revoke() async throws {
        let gate = AsyncGate()
        let (fixture, client) = try await WorkerFixture.commanded(concurrency: 1) { _, _ in
            await gate.wait()
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await fixture.running(1)
            let answer = try await client.ask("revoke", ["task_id": ["job-1", "job-2"]])
            #expect(answer == ["ok": "tasks {'job-1', 'job-2'} flagged as revoked"])
            // It waits behind the one that runs, and whoever asks for its result need not.
            #expect(try await fixture.status(of: 2) == "REVOKED")
            #expect(try await fixture.status(of: 1) == nil)
            gate.open()
            try await eventually { try await fixture.isIdle() }
            let revoked = try await client.ask("revoked")?.arrayValue?.compactMap(\.stringValue)
            #expect(revoked?.sorted() == ["job-1", "job-2"])
        }
        #expect(try await fixture.status(of: 1) == "SUCCESS")
        #expect(fixture.service.totals == ["succeeded": 1, "cancelled": 1])
    }

    @Test("terminate ends a running job, and its result says REVOKED")
    func terminate() async throws {
        let (fixture, client) = try await WorkerFixture.commanded()
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await fixture.running(2)
            let answer = try await client.ask(
                "revoke", ["task_id": "job-1", "terminate": true, "signal": "SIGTERM"])
            #expect(answer == ["ok": "terminate: job-1"])
            try await eventually { try await fixture.status(of: 1) == "REVOKED" }
            #expect(
                try await client.ask("terminate", ["signal": "KILL", "task_id": "nosuch"])
                    == ["ok": "terminate: tasks unknown"])
            #expect(
                try await client.ask("terminate", ["signal": "SIGXYZ", "task_id": "job-2"])
                    == ["error": "ValueError('there is no signal of that name')"])
            try await fixture.running(1)
            fixture.service.abandon()
        }
        #expect(fixture.service.totals["cancelled"] == 1)
    }

    @Test("a revocation holds for a worker that starts later, by id and by stamp")
    func durable() async throws {
        let (fixture, client) = try await WorkerFixture.commanded { _, _ in .done }
        try await fixture.broker.revoke([JobID("job-1")], terminating: false, storing: [])
        try await fixture.broker.revoke([RevokedStamp(name: "tenant", value: "7")])
        try await fixture.broker.enqueue([
            fixture.message(1),
            fixture.message(2) { message in
                message.stampedHeaders = ["tenant"]
                message.stamps = ["tenant": [3, 7]]
            },
            fixture.message(3) { message in
                message.stampedHeaders = ["tenant"]
                message.stamps = ["tenant": "8"]
            },
        ])
        try await fixture.run {
            try await eventually { try await fixture.isIdle() }
            #expect(try await client.ask("revoked") == ["job-1"])
        }
        #expect(fixture.service.totals == ["succeeded": 1, "cancelled": 2])
        #expect(try await fixture.status(of: 2) == "REVOKED")
        #expect(try await fixture.status(of: 3) == "SUCCESS")
    }

    @Test("stamps can be revoked with what runs, or without")
    func stamps() async throws {
        let (fixture, client) = try await WorkerFixture.commanded()
        try await fixture.broker.enqueue([
            fixture.message(1) { message in
                message.stampedHeaders = ["tenant"]
                message.stamps = ["tenant": "7"]
            }, fixture.message(2),
        ])
        try await fixture.run {
            try await fixture.running(2)
            #expect(
                try await client.ask(
                    "revoke_by_stamped_headers", ["headers": ["tenant": ["7"]]])
                    == ["ok": "headers {'tenant': ['7']} flagged as revoked, but not terminated"])
            #expect(fixture.service.runningJobs.count == 2)
            #expect(
                try await client.ask(
                    "revoke_by_stamped_headers", ["headers": ["tenant=9"], "terminate": true])
                    == ["ok": "headers {'tenant': '9'} were not terminated"])
            #expect(
                try await client.ask(
                    "revoke_by_stamped_headers", ["headers": ["tenant=7"], "terminate": true])
                    == ["ok": "headers {'tenant': '7'} revoked"])
            try await eventually { try await fixture.status(of: 1) == "REVOKED" }
            fixture.service.abandon()
        }
    }

    @Test("a job over its rate is put off without an attempt, and a lane stays free for others")
    func rateLimit() async throws {
        let attempts = Log<Int>()
        let (fixture, client) = try await WorkerFixture.commanded { _, context in
            attempts.add(context.attempt)
            return .done
        }
        try await fixture.run {
            #expect(
                try await client.ask(
                    "rate_limit", ["task_name": "test.probe", "rate_limit": "2/s"])
                    == ["ok": "new rate limit set successfully"])
            #expect(
                try await client.ask("registered") == ["test.probe [rate_limit=2/s]"])
            let began = ContinuousClock.now
            try await fixture.broker.enqueue((1...4).map { fixture.message($0) })
            try await eventually(within: .seconds(30)) { attempts.all.count == 4 }
            #expect(ContinuousClock.now - began >= .milliseconds(1400))
            #expect(
                try await client.ask(
                    "rate_limit", ["task_name": "test.probe", "rate_limit": 0])
                    == ["ok": "rate limit disabled successfully"])
            try await eventually { try await fixture.isIdle() }
        }
        #expect(attempts.all == [1, 1, 1, 1])
    }

    @Test("time limits that were set hold for jobs that begin then")
    func timeLimit() async throws {
        let (fixture, client) = try await WorkerFixture.commanded()
        try await fixture.run {
            #expect(
                try await client.ask(
                    "time_limit", ["task_name": "test.probe", "soft": nil, "hard": "0.2"])
                    == ["ok": "time limits set successfully"])
            try await fixture.broker.enqueue([fixture.message(1)])
            try await eventually { try await fixture.status(of: 1) == "FAILURE" }
            #expect(
                try await client.ask("time_limit", ["task_name": "nosuch", "hard": 1])
                    == ["error": "unknown task"])
        }
    }

    @Test("lanes come at once and go when their job is done")
    func lanes() async throws {
        let gate = AsyncGate()
        let (fixture, client) = try await WorkerFixture.commanded { _, _ in
            await gate.wait()
            return .done
        }
        try await fixture.broker.enqueue((1...6).map { fixture.message($0) })
        try await fixture.run {
            try await fixture.running(2)
            #expect(try await client.ask("pool_grow", ["n": 2]) == ["ok": "pool will grow"])
            try await fixture.running(4)
            #expect(try await client.ask("pool_shrink", ["n": "3"]) == ["ok": "pool will shrink"])
            #expect(fixture.service.status.concurrency == 1)
            #expect(fixture.service.runningJobs.count == 4)
            gate.open()
            try await eventually { try await fixture.isIdle() }
            #expect(
                try await client.ask("pool_shrink", ["n": 1])
                    == ["error": "ValueError('a worker keeps one lane at least')"])
            let pool = try await client.ask("stats")?["pool"]
            #expect(pool?["max-concurrency"] == 1)
            gate.close()
            try await fixture.broker.enqueue((7...9).map { fixture.message($0) })
            try await fixture.running(1)
            gate.open()
            try await eventually { try await fixture.isIdle() }
        }
        #expect(fixture.service.totals["succeeded"] == 9)
    }

    @Test("a queue is served once it was added, and left alone once it was cancelled")
    func queues() async throws {
        let seen = Log<Int>()
        let (fixture, client) = try await WorkerFixture.commanded(wait: .seconds(60)) {
            payload, _ in
            seen.add(payload.number ?? 0)
            return .done
        }
        let other: QueueName = "other"
        try await fixture.broker.enqueue([fixture.message(1) { $0.queue = other }])
        try await fixture.run {
            #expect(
                try await client.ask("add_consumer", ["queue": "other"])
                    == ["ok": "add consumer other"])
            try await eventually { seen.all == [1] }
            // Its lists are waited on too.
            try await eventually("the waits") {
                try await fixture.raw.send(RedisCommand("INFO", "clients")).string?
                    .contains("blocked_clients:8") ?? false
            }
            let queues = try await client.ask("active_queues")?.arrayValue
            #expect(queues?.compactMap { $0["name"]?.stringValue } == ["work", "other"])
            try await eventually("the presence") {
                try await fixture.broker.standings().first?.presence?.queues == ["work", "other"]
            }
            for queue in ["work", "other"] {
                #expect(
                    try await client.ask("cancel_consumer", ["queue": .string(queue)])
                        == ["ok": "no longer consuming from \(queue)"])
            }
            try await eventually("no more waits") {
                try await fixture.raw.send(RedisCommand("INFO", "clients")).string?
                    .contains("blocked_clients:0") ?? false
            }
            try await fixture.broker.enqueue([
                fixture.message(2), fixture.message(3) { $0.queue = other },
            ])
            #expect(try await client.ask("ping") == ["ok": "pong"])
            #expect(try await fixture.broker.waiting(in: other).reduce(0, +) == 1)
            _ = try await client.ask("add_consumer", ["queue": "work"])
            try await eventually { seen.all == [1, 2] }
        }
        #expect(try await fixture.broker.waiting(in: other).reduce(0, +) == 1)
    }

    @Test("with prefetch a busy worker holds messages, and gives them back when it drains")
    func prefetch() async throws {
        let (fixture, client) = try await WorkerFixture.commanded(concurrency: 1, prefetch: 2)
        try await fixture.broker.enqueue((1...5).map { fixture.message($0) })
        try await fixture.run {
            try await fixture.running(1)
            try await eventually("the held ones") { fixture.service.inFlight == 3 }
            let reserved = try await client.ask("reserved")?.arrayValue
            #expect(reserved?.compactMap { $0["id"]?.stringValue } == ["job-2", "job-3"])
            let found = try await client.ask("query_task", ["ids": ["job-1", "job-3", "job-5"]])
            #expect(found?["job-1"]?.arrayValue?.first == "active")
            #expect(found?["job-3"]?.arrayValue?.first == "reserved")
            #expect(found?["job-5"] == nil)
            fixture.service.abandon()
        }
        #expect(try await fixture.broker.waiting(in: WorkerFixture.queue).reduce(0, +) == 5)
    }

    @Test("clocks are taken in and answered with; hello tells what is revoked")
    func clocksAndHello() async throws {
        let (fixture, client) = try await WorkerFixture.commanded()
        try await fixture.run {
            try await client.publish(
                ControlClient.envelope(["method": "ping"], headers: ["clock": 500]))
            let clock = try await client.ask("clock")?["clock"]?.intValue ?? 0
            #expect(clock > 500)
            let answer = try await client.ask(
                "hello", ["from_node": "py@host", "revoked": ["theirs"]])
            #expect(answer?["revoked"] == ["theirs"])
            #expect(answer?["clock"]?.intValue ?? 0 > clock)
            #expect(try await client.ask("hello", ["from_node": "probe@test"]) == .some(.null))
        }
    }

    @Test("events are switched on and off, and it is said when that changes nothing")
    func events() async throws {
        let (fixture, client) = try await WorkerFixture.commanded()
        try await fixture.run {
            for (method, said) in [
                ("enable_events", "enabled"), ("enable_events", "already enabled"),
                ("disable_events", "disabled"), ("disable_events", "already disabled"),
            ] {
                let answer = try await client.ask(method)
                #expect(answer == ["ok": .string("task events \(said)")])
            }
            let answer = try await client.ask("heartbeat")
            #expect(answer == .some(.null))
        }
    }

    @Test("shutdown drains")
    func shutdown() async throws {
        let (fixture, client) = try await WorkerFixture.commanded { _, _ in .done }
        try await fixture.end {
            try await client.tell("shutdown")
        }
        #expect(fixture.service.status.phase == .stopped)
    }
}
