import Broker
import Enqueue
import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Python and Swift workers share one Redis", .serialized, .timeLimit(.minutes(5)))
struct MixedFleetTests {
    /// A job that only Python runs: it says which Python types it was given.
    struct Describe: Job {
        struct Payload: Codable, Sendable, Equatable {
            var when = Date(timeIntervalSince1970: 1_700_000_000.25)
            var price = Decimal(string: "19.90")
            var key = UUID()
            var word = Data("plain".utf8)
            var blob = Data([0xff, 0x00, 0x80])
            var name = "Zoë \u{1F9FE} \"quoted\""
            var count = 9_007_199_254_740_993
            var ratio = 0.1
            var flags = [true, false]
        }

        static let name: JobName = "python.describe"

        func run(_ payload: Payload, in context: JobContext) async throws -> Verdict { .done }
    }

    private static let pythonTypes: JSONValue = [
        "when": "datetime.datetime", "price": "decimal.Decimal", "key": "uuid.UUID",
        "word": "builtins.bytes", "blob": "builtins.bytes", "name": "builtins.str",
        "count": "builtins.int", "ratio": "builtins.float", "flags": "builtins.list",
    ]

    @Test("a Python worker runs what Swift enqueues, with the same types and values")
    func swiftToPython() async throws {
        let fleet = try await MixedFleet()
        let worker = try await fleet.celery.worker()
        let enqueuer = Enqueuer(broker: fleet.queues.broker)
        let payload = Describe.Payload()
        let id = try await enqueuer.enqueue(Describe.self, payload)
        let answer = try await fleet.celery.answers(of: [id.text])[0]
        #expect(answer.state == "SUCCESS")
        #expect(answer.result["types"] == Self.pythonTypes)
        let values = try #require(answer.result["values"])
        #expect(try values.decoded(as: Describe.Payload.self) == payload)
        try await worker.stop()
    }

    @Test("a Swift worker takes over what a killed Python worker held")
    func pythonKilled() async throws {
        let fleet = try await MixedFleet()
        let python = try await fleet.celery.worker(isStuck: true)
        let ids = try await fleet.celery.send(
            [PythonCelery.Sending](repeating: .init("backhaul.ping"), count: 6))
        try await eventually("six messages in Python's hands") {
            try await fleet.queues.broker.inFlight() == 6
        }
        try await python.kill()
        let clock = ContinuousClock()
        let start = clock.now
        let swift = try BackhaulProcess.worker(
            redis: fleet.queues.url, settings: ["worker.visibility_timeout_seconds": "2"])
        let answers = try await fleet.celery.answers(of: ids)
        print("what a killed Python worker held was done \(start.duration(to: clock.now)) later")
        #expect(answers.map(\.result) == [JSONValue](repeating: "pong", count: 6))
        try await eventually { try await fleet.queues.broker.inFlight() == 0 }
        let ended = try await swift.stop()
        #expect(ended.code == 0)
        #expect(ended.errors.contains("succeeded=6"))
    }

    @Test("a Python worker takes over what a killed Swift worker held, with no Swift worker left")
    func swiftKilled() async throws {
        let fleet = try await MixedFleet()
        let server = try await PostgresServer.start()
        // A database that accepts connections and never answers keeps the jobs running.
        server.pause()
        let swift = try BackhaulProcess.worker(
            redis: fleet.queues.url, database: server.url,
            settings: ["database.connect_timeout_seconds": "120"])
        let ids = try await fleet.celery.send(
            (1...4).map { .init(MixedFleet.provisioning, args: [.number(JSONNumber($0))]) })
        try await eventually(within: .seconds(20), "four messages in Swift's hands") {
            try await fleet.queues.held(by: swift.pid) == 4
        }
        _ = try await swift.kill()
        server.resume()
        await server.remove()
        let clock = ContinuousClock()
        let start = clock.now
        let python = try await fleet.celery.worker(visibility: .seconds(2))
        let answers = try await fleet.celery.answers(of: ids, timeout: 20)
        print("what a killed Swift worker held was done \(start.duration(to: clock.now)) later")
        #expect(
            answers.map(\.result)
                == (1...4).map { ["service_id": .number(JSONNumber($0)), "by": "Python"] })
        try await eventually { try await fleet.queues.broker.inFlight() == 0 }
        try await python.stop()
    }

    @Test("a Python worker leaves a live Swift job alone, however short its visibility timeout")
    func shortVisibility() async throws {
        let fleet = try await MixedFleet()
        let python = try await fleet.celery.worker(visibility: .seconds(3))
        let swift = try BackhaulProcess.worker(
            redis: fleet.queues.url, queues: "drills", settings: ["worker.drills": "true"])
        let ids = try await fleet.celery.send([
            .init("drill.sleep", kwargs: ["seconds": 8], options: ["queue": "drills"])
        ])
        let answers = try await fleet.celery.answers(of: ids, timeout: 30)
        #expect(answers.map(\.state) == ["SUCCESS"])
        let ended = try await swift.stop()
        #expect(ended.errors.contains("succeeded=1"))
        #expect(!ended.errors.contains("lease"))
        #expect(try await fleet.queues.waiting(in: "drills") == 0)
        try await python.stop()
    }
}
