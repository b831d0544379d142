import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@Suite("Celery's own command line in front of a Swift worker")
struct CeleryCommandTests {
    /// Waits long for an answer, and not at all after it.
    private static let patiently = ["--timeout", "20", "--destination", "swift@lab"]

    /// A worker that runs drills, two at a time, and holds two more.
    private func worker(_ fleet: MixedFleet) async throws -> BackhaulProcess {
        let worker = try BackhaulProcess(
            [
                "worker", "--redis", fleet.queues.url, "--database", BackhaulProcess.noDatabase,
                "--queues", "celery,drills", "--concurrency", "2", "--name", "swift@lab",
                "--set", "worker.drills=true", "--set", "worker.prefetch=2",
                "--set", "worker.grace_seconds=0",
            ])
        try await worker.says("worker started")
        let raw = fleet.queues.raw
        try await eventually(within: .seconds(30), "the worker listens") {
            try await raw.send(
                RedisCommand("PUBSUB", "NUMPAT")
            ).int ?? 0 > 0
        }
        return worker
    }

    private func drill(_ seconds: Int, id: String, countdown: Int? = nil) -> PythonCelery.Sending {
        var options: JSONObject = ["task_id": .string(id), "queue": "drills"]
        if let countdown { options["countdown"] = .number(JSONNumber(countdown)) }
        return PythonCelery.Sending(
            "drill.sleep", kwargs: ["seconds": .number(JSONNumber(seconds))], options: options)
    }

    /// `celery inspect … --json`: what the worker answered.
    private func inspect(_ fleet: MixedFleet, _ arguments: String...) async throws -> JSONValue {
        let ended = try await fleet.celery.command(
            ["inspect"] + arguments + Self.patiently + ["--json"])
        guard ended.code == 0 else {
            throw FixtureError("celery inspect \(arguments) said: \(ended.output)")
        }
        let answers = try JSONValue(parsing: Array(ended.output.utf8))
        guard let answer = answers["swift@lab"] else {
            throw FixtureError("swift@lab did not answer \(arguments): \(ended.output)")
        }
        return answer
    }

    private func control(_ fleet: MixedFleet, _ arguments: String...) async throws -> String {
        try await fleet.celery.command(["control"] + Self.patiently + arguments).output
    }

    @Test("inspect and status are answered in Celery's form", .timeLimit(.minutes(5)))
    func inspection() async throws {
        let fleet = try await MixedFleet()
        let worker = try await worker(fleet)
        _ = try await fleet.celery.send([drill(0, id: "later", countdown: 3600)])
        try await eventually(within: .seconds(20)) {
            try await fleet.queues.broker.delayed() == 1
        }
        _ = try await fleet.celery.send((1...5).map { drill(600, id: "s\($0)") })
        try await eventually(within: .seconds(20)) {
            try await fleet.queues.waiting(in: "drills") == 1
        }

        let status = try await fleet.celery.command(["status"] + Self.patiently)
        #expect(status.output.contains("swift@lab: OK"))
        #expect(try await inspect(fleet, "ping") == ["ok": "pong"])

        let active = try await inspect(fleet, "active").arrayValue ?? []
        #expect(active.compactMap { $0["id"]?.stringValue }.sorted() == ["s1", "s2"])
        let first = try #require(active.first?.objectValue)
        #expect(
            Set(first.keys) == [
                "id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged",
                "delivery_info", "worker_pid",
            ])
        #expect(first["hostname"] == "swift@lab")
        #expect(first["kwargs"] == ["seconds": 600])
        #expect(first["worker_pid"]?.intValue == Int(worker.pid))

        let reserved = try await inspect(fleet, "reserved").arrayValue ?? []
        #expect(reserved.compactMap { $0["id"]?.stringValue }.sorted() == ["s3", "s4"])
        #expect(reserved.first?["time_start"] == JSONValue.null)

        let scheduled = try await inspect(fleet, "scheduled").arrayValue ?? []
        #expect(scheduled.first?["request"]?["id"] == "later")
        #expect(scheduled.first?["priority"] == 6)
        #expect(scheduled.first?["eta"]?.stringValue?.hasSuffix("+00:00") == true)

        let found = try await inspect(fleet, "query_task", "s1", "s3", "later", "s5", "nosuch")
        #expect(
            found.objectValue?.mapValues { $0.arrayValue?.first?.stringValue } == [
                "s1": "active", "s3": "reserved", "later": "scheduled",
            ])

        #expect(try await inspect(fleet, "revoked") == [])
        let registered = try await inspect(fleet, "registered").arrayValue ?? []
        #expect(registered.contains("drill.sleep"))
        #expect(registered == registered.sorted { ($0.stringValue ?? "") < ($1.stringValue ?? "") })

        let stats = try await inspect(fleet, "stats")
        #expect(stats["pid"]?.intValue == Int(worker.pid))
        #expect(stats["total"] == ["drill.sleep": 2])
        #expect(stats["pool"]?["max-concurrency"] == 2)
        #expect(stats["prefetch_count"] == 4)
        #expect(stats["clock"]?.stringValue.flatMap { Int($0) } != nil)
        #expect(stats["broker"]?["transport"] == "redis")
        #expect(stats["rusage"]?["utime"]?.doubleValue ?? 0 > 0)

        let conf = try await inspect(fleet, "conf")
        #expect(conf["broker_url"]?.stringValue?.hasPrefix("redis://") == true)
        #expect(conf["backhaul.worker.drills"] == "true")
        let queues = try await inspect(fleet, "active_queues").arrayValue ?? []
        #expect(queues.compactMap { $0["name"]?.stringValue } == ["celery", "drills"])
        let report = try await inspect(fleet, "report")["ok"]?.stringValue
        #expect(report?.contains("spoken by backhaul") == true)

        // Nothing is left of all these questions.
        let left = try await fleet.queues.raw.send(RedisCommand("KEYS", "*.reply.celery.pidbox"))
        #expect(left.array == [])
        _ = try await worker.stop()
    }

    @Test(
        "control revoke --terminate ends a running Swift job, and AsyncResult says REVOKED",
        .timeLimit(.minutes(5)))
    func revoke() async throws {
        let fleet = try await MixedFleet()
        let worker = try await worker(fleet)
        _ = try await fleet.celery.send((1...4).map { drill(600, id: "s\($0)") })
        try await eventually(within: .seconds(20)) {
            try await fleet.queues.waiting(in: "drills") == 0
        }
        #expect(
            try await control(fleet, "terminate", "SIGTERM", "s1").contains("terminate: s1"))
        #expect(
            try await control(fleet, "revoke", "s4").contains("tasks {'s4'} flagged as revoked"))
        let answers = try await fleet.celery.answers(of: ["s1", "s4"], timeout: 20)
        #expect(answers.map(\.state) == ["REVOKED", "REVOKED"])
        #expect(answers.map(\.error) == ["TaskRevokedError", "TaskRevokedError"])
        // The others go on: one that ran, and one that took the free lane.
        let active = try await inspect(fleet, "active").arrayValue ?? []
        #expect(active.compactMap { $0["id"]?.stringValue }.sorted() == ["s2", "s3"])
        _ = try await worker.stop()
    }

    @Test("a revocation outlives the worker that heard it", .timeLimit(.minutes(5)))
    func restart() async throws {
        let fleet = try await MixedFleet()
        let first = try await worker(fleet)
        #expect(try await control(fleet, "revoke", "r1").contains("flagged as revoked"))
        _ = try await first.kill()
        _ = try await fleet.celery.send([drill(0, id: "r1"), drill(0, id: "r2")])
        let second = try await worker(fleet)
        let answers = try await fleet.celery.answers(of: ["r1", "r2"], timeout: 30)
        #expect(answers.map(\.state) == ["REVOKED", "SUCCESS"])
        #expect(try await inspect(fleet, "revoked") == ["r1"])
        _ = try await second.stop()
    }

    @Test("what control says is done", .timeLimit(.minutes(5)))
    func control() async throws {
        let fleet = try await MixedFleet()
        let worker = try await worker(fleet)
        #expect(
            try await control(fleet, "rate_limit", "drill.sleep", "10/m")
                .contains("new rate limit set successfully"))
        #expect(
            try await inspect(fleet, "registered").arrayValue?
                .contains("drill.sleep [rate_limit=10/m]") == true)
        #expect(
            try await control(fleet, "time_limit", "drill.sleep", "5", "9")
                .contains("time limits set successfully"))
        #expect(try await control(fleet, "pool_grow", "3").contains("pool will grow"))
        #expect(try await inspect(fleet, "stats")["pool"]?["max-concurrency"] == 5)
        #expect(try await control(fleet, "pool_shrink", "1").contains("pool will shrink"))
        #expect(
            try await control(fleet, "autoscale", "3", "1")
                .contains("ValueError('Autoscale not enabled')"))
        #expect(try await control(fleet, "add_consumer", "extra").contains("add consumer extra"))
        #expect(
            try await control(fleet, "cancel_consumer", "celery")
                .contains("no longer consuming from celery"))
        let queues = try await inspect(fleet, "active_queues").arrayValue ?? []
        #expect(queues.compactMap { $0["name"]?.stringValue } == ["drills", "extra"])
        _ = try await fleet.celery.command(["control", "shutdown"])
        let ended = try await worker.end()
        #expect(ended.code == 0)
        #expect(ended.errors.contains("worker stopped"))
    }
}

extension JSONObject {
    fileprivate func mapValues<Value>(_ change: (JSONValue) -> Value) -> [String: Value] {
        Dictionary(uniqueKeysWithValues: map { ($0.key, change($0.value)) })
    }
}
