import Foundation
import JobModel
import TestSupport
import Testing

/// Flower in front of a Redis with one Swift and one Python worker.
private struct Wall {
    static let swift = "backhaul@\(ProcessInfo.processInfo.hostName)"
    static let python = "python@lab"

    let fleet: MixedFleet
    let worker: BackhaulProcess
    let colleague: PythonWorker
    let flower: Flower

    init() async throws {
        fleet = try await MixedFleet()
        worker = try BackhaulProcess.worker(
            redis: fleet.queues.url, queues: "swift,drills",
            settings: [
                "worker.events": "true", "worker.drills": "true",
            ])
        try await worker.says("worker started")
        colleague = try await fleet.celery.worker(node: Self.python)
        flower = try await Flower.start(fleet.celery)
    }

    /// Waits until Flower has heard heartbeats of both.
    func seen() async throws {
        try await eventually(within: .seconds(30), "both workers on the wall") {
            let alive = try await flower.get("/api/workers?status=true").json
            return alive[Wall.swift] == true && alive[Wall.python] == true
        }
    }

    /// What Flower knows of a task.
    func task(_ id: String) async throws -> JSONValue {
        try await flower.get("/api/task/info/\(id)").json
    }

    func state(of id: String) async throws -> String? {
        try await task(id)["state"]?.stringValue
    }
}

@Suite("Flower in front of a Swift and a Python worker")
struct FlowerTests {
    @Test("both workers are on the wall, and the jobs of both with all that Flower shows of them")
    func tasks() async throws {
        let wall = try await Wall()
        try await wall.seen()
        let ids = try await wall.fleet.celery.send([
            .init("backhaul.ping", options: ["queue": "swift"]),
            .init("backhaul.ping", options: ["queue": "celery", "shadow": "shown"]),
            .init(
                "drill.fail", kwargs: ["message": "it broke", "permanently": true],
                options: ["queue": "drills"]),
            .init("nobody.knows", args: [1, "x"], options: ["queue": "swift"]),
            .init("drill.sleep", args: [0.3], options: ["queue": "drills", "expires": -10]),
        ])
        let states = ["SUCCESS", "SUCCESS", "FAILURE", "FAILURE", "REVOKED"]
        for (id, state) in zip(ids, states) {
            try await eventually(within: .seconds(30), "\(state) of \(id)") {
                try await wall.state(of: id) == state
            }
        }
        let all = try await wall.flower.get("/api/tasks").json
        #expect(all.objectValue?.count == ids.count)
        let swift = try #require(all[ids[0]])
        #expect(swift["name"] == "backhaul.ping")
        #expect(swift["worker"]?.stringValue == Wall.swift)
        #expect(swift["result"] == "'pong'")
        #expect(swift["args"] == "()")
        #expect(swift["kwargs"] == "{}")
        #expect(swift["root_id"]?.stringValue == ids[0])
        let runtime = try #require(swift["runtime"]?.doubleValue)
        #expect(runtime > 0 && runtime < 5)
        let received = try #require(swift["received"]?.doubleValue)
        let succeeded = try #require(swift["succeeded"]?.doubleValue)
        #expect(received <= succeeded)
        #expect(abs(Date().timeIntervalSince1970 - received) < 60)
        let python = try #require(all[ids[1]])
        #expect(python["worker"]?.stringValue == Wall.python)
        #expect(python["name"] == "shown")
        let failed = try #require(all[ids[2]])
        #expect(failed["name"] == "drill.fail")
        #expect(failed["exception"] == "RuntimeError('it broke')")
        #expect(failed["traceback"]?.stringValue?.contains("it broke") == true)
        let unknown = try #require(all[ids[3]])
        #expect(unknown["name"] == "nobody.knows")
        #expect(unknown["exception"] == "NotRegistered('nobody.knows')")
        #expect(unknown["args"] == "[1, 'x']")
        // The pages for people are made of the same, and must not break on it.
        for page in ["/workers", "/tasks", "/worker/\(Wall.swift)", "/task/\(ids[2])", "/broker"] {
            #expect(try await wall.flower.get(page).status == 200, "\(page)")
        }
        #expect(!wall.flower.log.contains("Traceback"))
        #expect(!wall.flower.log.contains("drift"))
        // A worker that has stopped is known to have.
        #expect(try await wall.worker.stop().code == 0)
        try await eventually(within: .seconds(20)) {
            let alive = try await wall.flower.get("/api/workers?status=true").json
            return alive[Wall.swift] == false && alive[Wall.python] == true
        }
    }

    @Test("a worker's page tells its queues, jobs and figures")
    func workers() async throws {
        let wall = try await Wall()
        try await wall.seen()
        let sleeping = try await wall.fleet.celery.send([
            .init("drill.sleep", args: [60], options: ["queue": "drills"])
        ])[0]
        try await eventually(within: .seconds(20)) {
            try await wall.state(of: sleeping) == "STARTED"
        }
        // What a worker runs at the moment is asked for one at a time only.
        let ask = "/api/workers?refresh=1&workername="
        let swift = try #require(
            try await wall.flower.get(ask + Wall.swift).json[Wall.swift])
        let python = try #require(
            try await wall.flower.get(ask + Wall.python).json[Wall.python])
        let parts = ["stats", "active_queues", "registered", "active", "conf"]
        for part in parts {
            #expect(swift[part] != nil, "\(part) of the Swift worker")
            #expect(python[part] != nil, "\(part) of the Python worker")
        }
        let queues = swift["active_queues"]?.arrayValue?.compactMap { $0["name"]?.stringValue }
        #expect(queues?.sorted() == ["drills", "swift"])
        let names = swift["registered"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(names.contains { $0.hasPrefix("backhaul.ping") })
        let active = swift["active"]?.arrayValue ?? []
        #expect(active.map { $0["id"]?.stringValue } == [sleeping])
        #expect(swift["stats"]?["pid"]?.intValue == Int(wall.worker.pid))
        #expect(swift["stats"]?["total"]?.objectValue != nil)
        #expect(swift["stats"]?["broker"]?.objectValue != nil)
        let lengths = try await wall.flower.get("/api/queues/length")
        #expect(lengths.status == 200)
        let counted = lengths.json["active_queues"]?.arrayValue ?? []
        let countedNames = counted.compactMap { $0["name"]?.stringValue }
        for name in ["swift", "drills", "celery"] { #expect(countedNames.contains(name)) }
        #expect(try await wall.flower.get("/worker/\(Wall.swift)").status == 200)
        #expect(!wall.flower.log.contains("Traceback"))
    }

    @Test("the buttons work: revoke, rate and time limits, pool, queues, shutdown")
    func buttons() async throws {
        let wall = try await Wall()
        try await wall.seen()
        let flower = wall.flower
        _ = try await flower.get("/api/workers?refresh=1")
        let sleeping = try await wall.fleet.celery.send([
            .init("drill.sleep", args: [600], options: ["queue": "drills"])
        ])[0]
        try await eventually(within: .seconds(20)) {
            try await wall.state(of: sleeping) == "STARTED"
        }
        var answer = try await flower.post("/api/task/revoke/\(sleeping)?terminate=true")
        #expect(answer.status == 200)
        try await eventually(within: .seconds(20), "the end of what was revoked") {
            try await wall.state(of: sleeping) == "REVOKED"
        }
        #expect(try await wall.fleet.celery.answers(of: [sleeping])[0].state == "REVOKED")
        for (path, message) in [
            (
                "task/rate-limit/backhaul.ping?workername=\(Wall.swift)&ratelimit=10/m",
                "new rate limit set successfully"
            ),
            (
                "task/timeout/backhaul.ping?workername=\(Wall.swift)&soft=30&hard=60",
                "time limits set successfully"
            ),
        ] {
            answer = try await flower.post("/api/\(path)")
            #expect(
                answer.status == 200, "\(path): \(String(decoding: answer.body, as: UTF8.self))")
            #expect(answer.json["message"]?.stringValue == message)
        }
        for path in [
            "pool/grow/\(Wall.swift)?n=2", "pool/shrink/\(Wall.swift)?n=1",
            "queue/add-consumer/\(Wall.swift)?queue=more",
        ] {
            answer = try await flower.post("/api/worker/\(path)")
            #expect(
                answer.status == 200, "\(path): \(String(decoding: answer.body, as: UTF8.self))")
        }
        let added = try await wall.fleet.celery.call(
            .init("drill.sleep", args: [0], options: ["queue": "more"]), timeout: 30)
        #expect(added.state == "SUCCESS")
        answer = try await flower.post("/api/worker/queue/cancel-consumer/\(Wall.swift)?queue=more")
        #expect(answer.status == 200)
        #expect(try await flower.post("/api/worker/shutdown/\(Wall.swift)").status == 200)
        #expect(try await wall.worker.end().code == 0)
        #expect(!flower.log.contains("Traceback"))
    }
}
