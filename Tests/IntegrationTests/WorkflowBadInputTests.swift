import Broker
import Enqueue
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@Suite("Bad input in workflows", .serialized, .timeLimit(.minutes(5)))
struct WorkflowBadInputTests {
    private static func add(_ args: JSONValue...) -> Signature {
        Signature("drill.add", args: args).on(queue: "drills")
    }

    private static func worker(_ fleet: MixedFleet) throws -> BackhaulProcess {
        try BackhaulProcess.worker(
            redis: fleet.queues.url, queues: "drills", settings: ["worker.drills": "true"])
    }

    @Test("fields and options that nobody knows are carried to the next worker")
    func unknownFields() async throws {
        let fleet = try await MixedFleet()
        let enqueuer = Enqueuer(broker: fleet.queues.broker)
        var odd = Signature("python.last").with("never_heard_of", ["a": [1, nil]])
        odd.unknownFields["odd"] = ["x": "y"]
        try await enqueuer.apply(
            chain {
                Self.add(1, 2).onSuccess(odd.on(queue: "callbacks"))
                Signature("python.next").on(queue: "nowhere")
                odd
            })
        let swift = try Self.worker(fleet)
        try await eventually { try await fleet.queues.waiting(in: "nowhere") == 1 }
        let message = try await fleet.queues.messages(in: "nowhere")[0]
        let body = try message.body(limits: WireLimits())
        #expect(body.args == [3])
        let last = try #require(body.embed["chain"]?.arrayValue?.first)
        #expect(last["odd"] == ["x": "y"])
        #expect(last["options"]?["never_heard_of"] == ["a": [1, nil]])
        let callback = try await fleet.queues.messages(in: "callbacks")
        #expect(try callback.map { try $0.body(limits: WireLimits()).args } == [[3]])
        #expect(try await swift.stop().code == 0)
    }

    @Test("what is to follow and cannot be read stops the job before it has run")
    func malformed() async throws {
        let fleet = try await MixedFleet()
        let results = ResultReader(store: fleet.queues.broker)
        let parts: [String: JSONValue] = [
            "callbacks": [["args": []]], "errbacks": "text", "chain": [7],
            "chord": ["task": "celery.chord", "subtask_type": "chord", "kwargs": [:]],
        ]
        for (part, value) in parts {
            var embed: JSONObject = [
                "callbacks": [Signature("never").on(queue: "never").json]
            ]
            embed[part] = value
            var message = OutgoingMessage(
                id: JobID(part), name: "drill.add",
                body: MessageBody(args: [1, 2], kwargs: [:], embed: embed), queue: "drills")
            message.groupID = "g"
            try await fleet.queues.broker.enqueue([message])
        }
        let swift = try Self.worker(fleet)
        for part in parts.keys {
            let end = try await results.end(of: JobID(part), upTo: .seconds(30))
            #expect(end.state == .failure, "\(part)")
        }
        let quarantine = try await fleet.quarantine()
        #expect(quarantine.items.map(\.code) == [String](repeating: "canvas.malformed", count: 4))
        #expect(try await fleet.queues.waiting(in: "never") == 0)
        #expect(try await swift.stop().code == 0)
    }

    @Test("a job that replaces itself for ever is a dead letter in the end, and its caller is told")
    func endlessReplacement() async throws {
        let fleet = try await MixedFleet()
        let results = ResultReader(store: fleet.queues.broker)
        let swift = try Self.worker(fleet)
        let sent = try await Enqueuer(broker: fleet.queues.broker).apply(
            chain {
                Signature("drill.replace", args: [1]).on(queue: "drills")
                Signature("never").on(queue: "never")
            })
        let end = try await results.end(of: sent.id, upTo: .seconds(60))
        #expect(end.state == .failure)
        let listing = try await BackhaulProcess.run(
            ["dead", "list", "-o", "json", "--redis", fleet.queues.url])
        #expect(listing.output.contains("canvas.replaced_too_often"))
        #expect(try await fleet.queues.waiting(in: "never") == 0)
        #expect(try await swift.stop().code == 0)
    }

    @Test("a chord whose size says less than it has members runs its body once")
    func sizeTooSmall() async throws {
        let fleet = try await MixedFleet()
        let members = (1...4).map { Self.add(1, .number(JSONNumber($0))) }
        let sent = try await Enqueuer(broker: fleet.queues.broker).apply(
            chord {
                members
            } then: {
                Signature("body").on(queue: "bodies")
            })
        let parent = sent.result.arrayValue?.first?.arrayValue?.last
        let group = try #require(parent?.arrayValue?.first?.arrayValue?.first?.stringValue)
        _ = try await fleet.queues.raw.send(
            RedisCommand("SET", "celery-taskset-meta-\(group).s", 2))
        let swift = try Self.worker(fleet)
        try await eventually(within: .seconds(30)) {
            let held = try await fleet.queues.broker.inFlight()
            return try await fleet.queues.waiting(in: "drills") + held == 0
        }
        #expect(try await swift.stop().code == 0)
        #expect(try await fleet.queues.waiting(in: "bodies") == 1)
    }

    @Test("a group of 100,000 is sent without holding Redis up, in bounded memory")
    func largeGroup() async throws {
        let fleet = try await MixedFleet()
        let raw = fleet.queues.raw
        let directory = try TemporaryDirectory(prefix: "backhaul-large")
        let file = directory.path(of: "group.json")
        let count = Enqueuer.maximumMembers
        let group = Signature.group(
            (0..<count).map { Signature("nobody.runs", args: [.number(JSONNumber($0))]) })
        try Data(group.json.encoded(.python)).write(to: URL(fileURLWithPath: file))
        // Microseconds: what takes a tenth of a second holds others up.
        _ = try await raw.send(RedisCommand("CONFIG", "SET", "slowlog-log-slower-than", 100_000))
        let sender = try BackhaulProcess(
            ["enqueue", "--canvas", file, "--redis", fleet.queues.url])
        let clock = ContinuousClock()
        var longest = Duration.zero
        var peak = 0
        try await eventually(within: .seconds(180), "the end of the sender") {
            let start = clock.now
            _ = try await raw.send(RedisCommand("PING"))
            longest = max(longest, start.duration(to: clock.now))
            peak = max(peak, Self.peakMegabytes(of: sender.pid))
            return !sender.isRunning
        }
        let ended = try await sender.end()
        #expect(ended.code == 0, "\(ended.errors)")
        print("100,000 members: at most \(peak) MB, and \(longest) for a PING meanwhile")
        #expect(peak < 500)
        #expect(try await raw.send(RedisCommand("SLOWLOG", "LEN")).int == 0)
        try await eventually { try await fleet.queues.waiting(in: "celery") == count }
        let last = try await raw.send(RedisCommand("LINDEX", "celery", 0)).bytes ?? []
        #expect(last.holds("\"group_index\": 99999"))
        let tooMany = Signature.group(
            [Signature](repeating: Signature("nobody.runs"), count: count + 1))
        await #expect {
            try await Enqueuer(broker: fleet.queues.broker).apply(tooMany)
        } throws: { ($0 as? EnqueueError)?.code == .limit }
    }

    /// The most memory a process has had resident so far.
    private static func peakMegabytes(of pid: Int32) -> Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(separator: " ").dropLast().last).flatMap { Int($0) }.map { $0 / 1024 }
            ?? 0
    }
}
