import Broker
import Foundation
import JobModel
import TestSupport
import Testing

@Suite("The executable, as operators meet it", .serialized, .timeLimit(.minutes(5)))
struct CommandTests {
    @Test("wrong settings are reported all at once, with exit code 78")
    func wrongSettings() async throws {
        let ended = try await BackhaulProcess.run(
            [
                "worker", "--redis", "http://nowhere", "--concurrency", "0", "--set",
                "worker.lease_secnds=5",
            ], environment: ["BACKHAUL_WORKER_GRACE_SECONDS": "soon", "BACKHAUL_LOG_LEVLE": "info"])
        #expect(ended.code == 78)
        let complaints = [
            "redis.url", "worker.concurrency", "worker.lease_secnds", "worker.lease_seconds",
            "worker.grace_seconds", "BACKHAUL_LOG_LEVLE", "BACKHAUL_LOG_LEVEL",
        ]
        for complaint in complaints { #expect(ended.errors.contains(complaint)) }
        #expect(ended.output.isEmpty)
    }

    @Test("a worker without a database says which setting is missing, with exit code 78")
    func noDatabase() async throws {
        let ended = try await BackhaulProcess.run(["worker"])
        #expect(ended.code == 78)
        #expect(ended.errors.contains("database.url"))
        #expect(ended.errors.contains("DATABASE_URL"))
    }

    @Test("--help of every command exits with 0 and shows an example")
    func help() async throws {
        var open: [[String]] = [[]]
        var visited = 0
        while let path = open.popLast() {
            let ended = try await BackhaulProcess.run(path + ["--help"])
            visited += 1
            let name = (["backhaul"] + path).joined(separator: " ")
            #expect(ended.code == 0, "\(name) --help")
            let inner = Self.subcommands(in: ended.output)
            let showsExample =
                ended.output.matches(of: /\n +backhaul \w+/).count > 0
                || ended.output.contains("Example: backhaul ")
            #expect(showsExample, "\(name) --help shows no example")
            open += inner.map { path + [$0] }
        }
        #expect(visited >= 15, "the subcommands were not found: the form of the help has changed")
    }

    /// The names below `SUBCOMMANDS:`.
    private static func subcommands(in help: String) -> [String] {
        help.split(separator: "\n", omittingEmptySubsequences: false)
            .drop { $0 != "SUBCOMMANDS:" }.dropFirst().prefix { $0.hasPrefix("  ") }
            .compactMap { line in line.firstMatch(of: /^  ([a-z][a-z-]*)/).map { String($0.1) } }
    }

    @Test(
        "enqueue names the flag whose JSON is wrong",
        arguments: [
            (["--args", "[1,"], "--args"), (["--args", "{}"], "--args"),
            (["--kwargs", "[]"], "--kwargs"), (["--kwargs", "{service_id: 1}"], "--kwargs"),
        ])
    func wrongJSON(flags: [String], flag: String) async throws {
        let ended = try await BackhaulProcess.run(["enqueue", "backhaul.ping"] + flags)
        #expect(ended.code == 64)
        #expect(ended.errors.contains(flag))
        #expect(ended.output.isEmpty)
    }

    @Test("enqueue prints the id of a job that then runs")
    func enqueue() async throws {
        let queues = try await QueueServer()
        let ended = try await BackhaulProcess.run(
            ["enqueue", "backhaul.ping"], environment: ["REDIS_URL": queues.url])
        #expect(ended.code == 0)
        let id = ended.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(UUID(uuidString: id) != nil)
        let worker = try BackhaulProcess.worker(redis: queues.url)
        try await eventually(within: .seconds(20), "the result") {
            try await queues.states(of: [JobID(id)]) == ["SUCCESS"]
        }
        #expect(try await worker.stop().code == 0)
    }

    @Test("enqueue says what to do when Redis cannot be reached")
    func enqueueWithoutRedis() async throws {
        let ended = try await BackhaulProcess.run(
            [
                "enqueue", "backhaul.ping", "--redis", "redis://127.0.0.1:1/0", "--set",
                "redis.command_timeout_seconds=1",
            ])
        #expect(ended.code == 1)
        #expect(ended.errors.contains("backhaul doctor"))
    }
}
