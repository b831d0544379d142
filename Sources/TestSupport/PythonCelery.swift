package import Foundation
import Glibc
package import JobModel

/// Real Python Celery on one Redis: a client for single requests, and workers.
///
/// The interpreter is the one of `BACKHAUL_TEST_PYTHON`, or that of `make bootstrap`.
package struct PythonCelery: Sendable {
    /// A job as `app.send_task` takes it.
    package struct Sending: Sendable {
        package var name: String
        package var args: [JSONValue] = []
        package var kwargs = JSONObject()
        /// Further keyword arguments of `send_task`, such as `countdown`.
        package var options = JSONObject()

        package init(
            _ name: String, args: [JSONValue] = [], kwargs: JSONObject = [:],
            options: JSONObject = [:]
        ) {
            self.name = name
            self.args = args
            self.kwargs = kwargs
            self.options = options
        }
    }

    /// What `AsyncResult` says of a job.
    package struct Answer: Decodable, Sendable {
        package let id: String
        /// The state, such as `SUCCESS` or `REVOKED`.
        package let state: String
        /// What `get()` returned.
        package let result: JSONValue
        /// The class of the exception that `get()` raised.
        package let error: String?
        /// When the job was sent by this call.
        package let sentAt: Date?
        /// When a worker finished the job.
        package let doneAt: Date?

        private enum CodingKeys: String, CodingKey {
            case id
            case state
            case result
            case error
            case sentAt = "sent_at"
            case doneAt = "date_done"
        }
    }

    let redis: String
    let scripts: URL
    let python: String

    /// A Celery on the Redis at that URL; `scripts` is the folder of `client.py` and `tasks.py`.
    ///
    /// - Throws: `FixtureError` when there is no Python with Celery.
    package init(redis: String, scripts: URL?) throws {
        guard let scripts else { throw FixtureError("the folder of Python scripts is missing") }
        self.redis = redis
        self.scripts = scripts
        python = Self.interpreter
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw FixtureError(
                "there is no Python with Celery at \(python): run `make bootstrap` (or `make test`)"
            )
        }
    }

    /// `BACKHAUL_TEST_PYTHON`, or the virtual environment of the working copy.
    package static var interpreter: String {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return ProcessInfo.processInfo.environment["BACKHAUL_TEST_PYTHON"]
            ?? repository.appendingPathComponent(".run/venv/bin/python").path
    }

    // MARK: Client

    /// `app.send_task(…)` for each; returns the ids.
    package func send(_ jobs: [Sending]) async throws -> [String] {
        try await ask(jobs.map(\.request), wait: nil).map(\.id)
    }

    /// `app.send_task(…).get(timeout: …)`.
    package func call(_ job: Sending, timeout: Double = 10) async throws -> Answer {
        try await ask([job.request], wait: timeout)[0]
    }

    /// `AsyncResult(id).get(timeout: …)` for each.
    package func answers(of ids: [String], timeout: Double = 10) async throws -> [Answer] {
        try await ask(ids.map { ["id": .string($0)] }, wait: timeout)
    }

    private func ask(_ jobs: [JSONValue], wait: Double?) async throws -> [Answer] {
        let directory = try TemporaryDirectory(prefix: "backhaul-request")
        let request: JSONValue = [
            "jobs": .array(jobs), "wait": wait.map { .number(JSONNumber($0)) } ?? .null,
        ]
        let file = directory.path(of: "request.json")
        try Data(request.encoded()).write(to: URL(fileURLWithPath: file))
        let text = try await run(
            "client.py", [file], within: .seconds(30) + .seconds((wait ?? 0) * Double(jobs.count)))
        return try JSONValue(parsing: Array(text.utf8)).decoded()
    }

    /// Runs one of the scripts on this Redis; returns what it prints.
    package func run(
        _ script: String, _ arguments: [String] = [], within limit: Duration = .seconds(120)
    ) async throws -> String {
        let directory = try TemporaryDirectory(prefix: "backhaul-python")
        let output = directory.path(of: "output")
        let errors = directory.path(of: "errors")
        let child = try ChildProcess(
            python, [scripts.appendingPathComponent(script).path, redis] + arguments,
            in: directory.path, environment: environment([:]), output: output, errors: errors)
        try await child.exit(within: limit)
        guard child.exitCode == 0 else {
            let text = FileManager.default.contents(atPath: errors) ?? Data()
            throw FixtureError("\(script) failed: \(String(decoding: text, as: UTF8.self))")
        }
        return String(
            decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
    }

    func environment(_ more: [String: String]) -> [String: String] {
        ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CELERY_") }
            .merging(["PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"]) { $1 }
            .merging(more) { $1 }
    }

    // MARK: Command line

    /// `celery -A tasks …`: what it printed and how it ended.
    package func command(
        _ arguments: [String], within limit: Duration = .seconds(60)
    ) async throws -> (code: Int32, output: String) {
        let directory = try TemporaryDirectory(prefix: "backhaul-python")
        let output = directory.path(of: "output")
        let child = try ChildProcess(
            python, ["-m", "celery", "-A", "tasks", "--quiet"] + arguments, in: directory.path,
            environment: environment([
                "PYTHONPATH": scripts.path, "TEST_REDIS": redis, "TEST_VISIBILITY": "3600",
                "TEST_STUCK": "",
            ]), output: output, errors: directory.path(of: "errors"))
        try await child.exit(within: limit)
        let text = FileManager.default.contents(atPath: output) ?? Data()
        return (child.exitCode ?? -1, String(decoding: text, as: UTF8.self))
    }

    // MARK: Workers

    /// Starts a Celery worker with one thread that acknowledges late and gives messages of the dead
    /// back after `visibility`; `isStuck` makes all its jobs last for ever.
    ///
    /// With a `node` name it also sends events, looks for and listens to its peers, and logs all.
    package func worker(
        visibility: Duration = .seconds(3600), isStuck: Bool = false, node: String? = nil
    ) async throws -> PythonWorker {
        let social = node.map { ["--hostname", $0, "--task-events", "--loglevel", "DEBUG"] }
        let directory = try TemporaryDirectory(prefix: "backhaul-python")
        let child = try ChildProcess(
            python,
            [
                "-m", "celery", "-A", "tasks", "worker", "--pool", "threads", "--concurrency", "1",
                "--queues", "celery,provisioning,python",
            ] + (social ?? ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]),
            in: directory.path,
            environment: environment([
                "PYTHONPATH": scripts.path, "TEST_REDIS": redis,
                "TEST_VISIBILITY": "\(visibility.components.seconds)",
                "TEST_STUCK": isStuck ? "yes" : "",
            ]), output: directory.path(of: "output"), errors: directory.path(of: "errors"))
        let worker = PythonWorker(child: child, directory: directory)
        try await worker.says(" ready.")
        return worker
    }
}

extension PythonCelery.Sending {
    fileprivate var request: JSONValue {
        [
            "name": .string(name), "args": .array(args), "kwargs": .object(kwargs),
            "options": .object(options),
        ]
    }
}

/// A running Python Celery worker; it ends with this object at the latest.
package final class PythonWorker: Sendable {
    private let child: ChildProcess
    private let directory: TemporaryDirectory

    fileprivate init(child: ChildProcess, directory: TemporaryDirectory) {
        self.child = child
        self.directory = directory
    }

    /// Its log so far.
    package var log: String {
        ["errors", "output"].map { name in
            let data = FileManager.default.contents(atPath: directory.path(of: name)) ?? Data()
            return String(decoding: data, as: UTF8.self)
        }.joined(separator: "\n")
    }

    /// Ends it as a crash would.
    package func kill() async throws {
        child.signal(SIGKILL)
        try await child.exit()
    }

    /// Asks it to stop and waits until it has.
    package func stop() async throws {
        child.signal(SIGTERM)
        try await child.exit(within: .seconds(30))
    }

    /// Waits until its log holds `text`.
    package func says(_ text: String) async throws {
        try await eventually(within: .seconds(60)) { log.contains(text) || !child.isRunning }
        guard child.isRunning else { throw FixtureError("the Celery worker ended: \(log)") }
    }
}
