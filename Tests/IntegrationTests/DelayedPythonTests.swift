import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@Suite("Python's countdowns wait in Redis, not in a Swift worker", .timeLimit(.minutes(5)))
struct DelayedPythonTests {
    /// What a worker may grow by, whatever waits.
    private static let growth = 5 * 1024  // KiB

    private func send(_ count: Int, _ fleet: MixedFleet) async throws -> [String] {
        let ids = try await fleet.celery.run(
            "countdowns.py", ["backhaul.ping", "\(count)", "3600"])
        return try JSONDecoder().decode([String].self, from: Data(ids.utf8))
    }

    /// Resident memory of a process, KiB.
    private func resident(_ process: BackhaulProcess) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
        let line = status.split(whereSeparator: \.isNewline).first { $0.hasPrefix("VmRSS:") }
        return try #require(line.flatMap { Int($0.filter(\.isNumber)) })
    }

    @Test("10,000 countdowns leave a worker's memory and its slots alone, and Celery lists them")
    func manyCountdowns() async throws {
        let fleet = try await MixedFleet()
        let broker = fleet.queues.broker
        let worker = try BackhaulProcess(
            [
                "worker", "--redis", fleet.queues.url, "--database", BackhaulProcess.noDatabase,
                "--queues", "celery", "--concurrency", "2", "--name", "swift@lab",
                "--log-level", "warning",
            ])
        // The first ones fill buffers that stay.
        let first = try await send(500, fleet)
        try await eventually(within: .seconds(60), "the first ones wait") {
            try await broker.delayed() == first.count
        }
        let before = try resident(worker)
        let ids = try await send(10_000, fleet)
        try await eventually(within: .seconds(60), "all wait") {
            try await broker.delayed() == first.count + ids.count
        }
        let after = try resident(worker)
        print("resident before \(before) KiB, after \(after) KiB")
        #expect(after - before < Self.growth)
        #expect(try await broker.inFlight() == 0)
        // Two slots, and both are free.
        #expect(try await fleet.celery.call(.init("backhaul.ping")).result == "pong")

        let ended = try await fleet.celery.command([
            "inspect", "scheduled", "--timeout", "20", "--destination", "swift@lab", "--json",
        ])
        let answers = try JSONValue(parsing: Array(ended.output.utf8))
        let scheduled = try #require(answers["swift@lab"]?.arrayValue)
        #expect(!scheduled.isEmpty)
        for entry in scheduled {
            let keys = Set(entry.objectValue.map { Array($0.keys) } ?? [])
            #expect(keys.isSuperset(of: ["eta", "priority", "request"]))
            #expect(entry["request"]?["name"] == "backhaul.ping")
        }

        let chosen = [ids[4], ids[5], ids[9999]]
        let ran = try await BackhaulProcess.run(
            ["delayed", "run"] + chosen + ["--redis", fleet.queues.url])
        #expect(ran.output == "sent to their queues: 3\n", "\(ran.errors)")
        #expect(
            try await fleet.celery.answers(of: chosen).map(\.result) == ["pong", "pong", "pong"])
        let cancelled = try await BackhaulProcess.run(
            ["delayed", "cancel", ids[6], "--redis", fleet.queues.url])
        #expect(cancelled.code == 0, "\(cancelled.errors)")
        let answer = try await fleet.celery.answers(of: [ids[6]])[0]
        #expect(answer.state == "REVOKED" && answer.error == "TaskRevokedError")
        #expect(try await broker.delayed() == first.count + ids.count - 4)
        #expect(try await worker.stop().code == 0)
    }
}
