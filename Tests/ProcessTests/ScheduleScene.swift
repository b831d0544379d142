import Foundation
import JobModel
import Postgres
import TestSupport

/// A Redis, a PostgreSQL of its own that can be killed, and a schedule file.
struct ScheduleScene: Sendable {
    let queues: QueueServer
    let server: PostgresServer
    let databaseURL: String
    let file: String
    private let directory: TemporaryDirectory

    static func with(schedule: String, _ body: (ScheduleScene) async throws -> Void) async throws {
        let scene = try await ScheduleScene(schedule)
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body(scene)) } catch { outcome = .failure(error) }
        await scene.server.remove()
        try outcome.get()
    }

    private init(_ schedule: String) async throws {
        queues = try await QueueServer()
        server = try await PostgresServer.start()
        databaseURL = try await server.makeDatabase()
        directory = try TemporaryDirectory(prefix: "backhaul-schedule")
        file = directory.path(of: "schedule.yaml")
        try Data(schedule.utf8).write(to: URL(fileURLWithPath: file))
        let migration = try await BackhaulProcess.run(
            ["migrate", "up", "--database", databaseURL], within: .seconds(60))
        guard migration.code == 0 else {
            throw FixtureError("backhaul migrate up failed: \(migration.errors)")
        }
    }

    private var servers: [String] {
        ["--redis", queues.url, "--database", databaseURL, "--schedule", file]
    }

    /// A scheduler that looks for changes five times a second.
    func scheduler() throws -> BackhaulProcess {
        try BackhaulProcess(
            ["scheduler"] + servers + [
                "--set", "scheduler.refresh_seconds=0.2", "--set",
                "database.connect_timeout_seconds=2",
            ])
    }

    /// Runs `backhaul schedule` to its end, and expects `code`.
    @discardableResult
    func schedule(_ arguments: String..., code: Int32 = 0) async throws -> BackhaulProcess.Ended {
        let ended = try await BackhaulProcess.run(
            ["schedule"] + arguments + servers + ["--set", "database.connect_timeout_seconds=2"],
            within: .seconds(60))
        guard ended.code == code else {
            throw FixtureError(
                "backhaul schedule \(arguments) ended with \(ended.code), not \(code): "
                    + ended.output + ended.errors)
        }
        return ended
    }

    /// The JSON that `backhaul schedule` prints.
    func json(_ arguments: String...) async throws -> JSONValue {
        let ended = try await BackhaulProcess.run(
            ["schedule"] + arguments + servers + ["-o", "json"], within: .seconds(60))
        guard ended.code == 0 else {
            throw FixtureError("backhaul schedule \(arguments) failed: \(ended.errors)")
        }
        return try JSONValue(parsing: Array(ended.output.utf8))
    }

    /// Waits until `more` messages were added to a queue, and says how many there are then.
    @discardableResult
    func grows(_ queue: QueueName, by more: Int) async throws -> Int {
        let start = try await queues.waiting(in: queue)
        var now = start
        try await eventually(within: .seconds(40), "\(more) more in \(queue)") {
            now = try await queues.waiting(in: queue)
            return now >= start + more
        }
        return now
    }
}
