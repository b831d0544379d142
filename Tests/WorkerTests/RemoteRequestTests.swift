import Broker
import Dispatch
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("Requests to a worker that are not what they should be")
struct RemoteRequestTests {
    @Test("what is no command is answered or logged, and everything else goes on")
    func badInput() async throws {
        let log = RecordedLog()
        let (fixture, client) = try await WorkerFixture.commanded(log: log) { _, _ in .done }
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
        let (fixture, client) = try await WorkerFixture.commanded(control: ports) { _, _ in .done }
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
        let (fixture, client) = try await WorkerFixture.commanded()
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
        let (fixture, client) = try await WorkerFixture.commanded()
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
        let (fixture, client) = try await WorkerFixture.commanded()
        try await fixture.run {
            #expect(try await client.ask("ping") == ["ok": "pong"])
            try await fixture.server.restart()
            #expect(try await client.ask("ping") == ["ok": "pong"])
        }
    }
}
