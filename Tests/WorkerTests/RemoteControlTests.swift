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
    @Test("a job over its rate is put off without an attempt, and a lane stays free for others")
    func rateLimit() async throws {
        let attempts = Log<Int>()
        let (fixture, client) = try await WorkerFixture.controlled { _, context in
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
        let (fixture, client) = try await WorkerFixture.controlled()
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
        let (fixture, client) = try await WorkerFixture.controlled { _, _ in
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
        let (fixture, client) = try await WorkerFixture.controlled(wait: .seconds(60)) {
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
        let (fixture, client) = try await WorkerFixture.controlled(concurrency: 1, prefetch: 2)
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

    @Test("what is no command is answered or logged, and everything else goes on")
    func badInput() async throws {
        let log = RecordedLog()
        let (fixture, client) = try await WorkerFixture.controlled(log: log) { _, _ in .done }
        try await fixture.run {
            for bytes in [
                [0xff, 0xfe], Array("{".utf8), Array(#"{"body": 7}"#.utf8),
                ControlClient.envelope(["method": 7]),
                ControlClient.envelope(["method": "ping", "arguments": "x"]),
                ControlClient.envelope(
                    ["method": "ping", "pattern": "(a+)+$", "matcher": "pcre"]),
            ] as [[UInt8]] { try await client.publish(bytes) }
            #expect(
                try await client.ask("nosuch") == ["error": "KeyError('nosuch')"])
            // One line for each, with the reason.
            let lines = log.lines.filter { $0.message == "a command cannot be read" }
            #expect(
                lines.map { $0.metadata[LogKey.errorCode] } == [
                    "envelope.json", "envelope.json", "body.content_type", "control.shape",
                    "control.shape", "control.pattern",
                ])
            #expect(
                try await client.ask("revoke") == [
                    "error":
                        "TypeError(\"revoke() missing 1 required positional argument: 'task_id'\")"
                ])
            for (method, arguments) in [
                ("revoke", ["task_id": ["a", 7]]), ("revoke", ["task_id": [""]]),
                ("pool_grow", ["n": "many"]), ("pool_grow", ["n": -5]),
                ("pool_grow", ["n": 9_000_000_000]), ("add_consumer", ["queue": "a\u{6}b"]),
                ("add_consumer", [:]), ("autoscale", ["max": 3]),
                ("time_limit", ["task_name": "test.probe", "soft": -1]),
                ("revoke_by_stamped_headers", ["headers": ["novalue"]]), ("hello", [:]),
                ("objgraph", [:]), ("pool_restart", [:]),
            ] as [(String, JSONObject)] {
                let answer = try await client.ask(method, arguments)
                #expect(answer?["error"]?.stringValue?.isEmpty == false, "\(method)")
            }
            try await fixture.broker.enqueue([fixture.message(1)])
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
            #expect(try await client.ask("ping", ["extra": true]) == ["ok": "pong"])
        }
    }

    @Test("a command that takes long holds nobody up: neither the next ones nor a job")
    func slowCommand() async throws {
        let barrier = DispatchSemaphore(value: 0)
        var ports = ControlPorts()
        ports.report = {
            barrier.wait()
            return "at last"
        }
        let (fixture, client) = try await WorkerFixture.controlled(control: ports) { _, _ in .done }
        try await fixture.run {
            try await client.tell("report")
            #expect(try await client.ask("ping") == ["ok": "pong"])
            try await fixture.broker.enqueue([fixture.message(1)])
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
            // Once for the slow one, once for the next.
            barrier.signal()
            barrier.signal()
            #expect(try await client.ask("report") == ["ok": "at last"])
        }
    }

    @Test("requests for others and requests that came too late are not carried out")
    func notMeant() async throws {
        let (fixture, client) = try await WorkerFixture.controlled()
        let late = Date().timeIntervalSince1970 - 3600
        try await fixture.run {
            try await client.tell("pool_grow", ["n": 5], more: ["destination": ["other@test"]])
            try await client.publish(
                ControlClient.envelope(
                    ["method": "pool_grow", "arguments": ["n": 5]],
                    headers: ["clock": 1, "expires": .number(JSONNumber(late))]))
            try await client.tell(
                "pool_grow", ["n": 5], more: ["pattern": "x*", "matcher": "glob"])
            #expect(
                try await client.ask("ping", more: ["pattern": "probe@*", "matcher": "glob"])
                    == ["ok": "pong"])
            #expect(fixture.service.status.concurrency == 2)
        }
    }

    @Test("an answer nobody waits for leaves no key; one that is waited for ends by itself")
    func replies() async throws {
        let (fixture, client) = try await WorkerFixture.controlled()
        try await fixture.run {
            try await client.tell("ping", replyKey: "gone")
            #expect(try await client.ask("ping") == ["ok": "pong"])
            let keys = try await fixture.raw.send(RedisCommand("KEYS", "*.reply.celery.pidbox"))
            #expect(keys.array == [])
            let binding = "_kombu.binding.reply.celery.pidbox"
            let separator = "\u{06}\u{16}"
            let queue = "slow.reply.celery.pidbox"
            _ = try await fixture.raw.send(
                RedisCommand("SADD", binding, "slow\(separator)\(separator)\(queue)"))
            try await client.tell("ping", replyKey: "slow")
            try await eventually {
                try await fixture.raw.send(RedisCommand("LLEN", queue)).int == 1
            }
            let life = try await fixture.raw.send(RedisCommand("TTL", queue)).int ?? -1
            #expect((1...60).contains(life))
        }
    }

    @Test("it hears commands again after Redis was restarted")
    func outage() async throws {
        let (fixture, client) = try await WorkerFixture.controlled()
        try await fixture.run {
            #expect(try await client.ask("ping") == ["ok": "pong"])
            try await fixture.server.restart()
            #expect(try await client.ask("ping") == ["ok": "pong"])
        }
    }

    @Test("clocks are taken in and answered with; hello tells what is revoked")
    func clocksAndHello() async throws {
        let (fixture, client) = try await WorkerFixture.controlled()
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
        let (fixture, client) = try await WorkerFixture.controlled()
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
        let (fixture, client) = try await WorkerFixture.controlled { _, _ in .done }
        try await fixture.end {
            try await client.tell("shutdown")
        }
        #expect(fixture.service.status.phase == .stopped)
    }
}
