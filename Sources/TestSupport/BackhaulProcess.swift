import Foundation
import Glibc

/// One process of the built `backhaul` executable, started by a test; what it writes is kept.
///
/// It ends with this object at the latest, and with the test process whatever ends that.
package final class BackhaulProcess: Sendable {
    /// How a process ended, and what it wrote.
    package struct Ended: Sendable {
        /// The exit code; 128 and the number of the signal that ended it, if one did.
        package let code: Int32
        /// Standard output.
        package let output: String
        /// Standard error: log lines and complaints.
        package let errors: String
    }

    /// An address that nobody answers, for jobs that need no database: it is connected to by need.
    package static let noDatabase = "postgresql://nobody@127.0.0.1:1/none"

    private let child: ChildProcess
    private let directory: TemporaryDirectory

    /// Starts `backhaul` with these arguments and, beside this process's own environment, these
    /// variables; variables that configure Backhaul are not passed on.
    package init(_ arguments: [String], environment: [String: String] = [:]) throws {
        directory = try TemporaryDirectory(prefix: "backhaul-process")
        let inherited = ProcessInfo.processInfo.environment.filter { name, _ in
            !name.hasPrefix("BACKHAUL_") && name != "REDIS_URL" && name != "DATABASE_URL"
        }
        child = try ChildProcess(
            try Self.executable(), arguments, in: directory.path,
            environment: inherited.merging(environment) { $1 },
            output: directory.path(of: "output"), errors: directory.path(of: "errors"))
    }

    /// Starts a worker; `settings` are keys and values such as `worker.lease_seconds`.
    package static func worker(
        redis: String, database: String = noDatabase, queues: String = "celery,provisioning",
        concurrency: Int = 4, settings: [String: String] = [:]
    ) throws -> BackhaulProcess {
        try BackhaulProcess(
            [
                "worker", "--redis", redis, "--database", database, "--queues", queues,
                "--concurrency", "\(concurrency)",
            ] + settings.sorted { $0.key < $1.key }.flatMap { ["--set", "\($0.key)=\($0.value)"] })
    }

    /// Runs `backhaul` to its end.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:],
        within limit: Duration = .seconds(30)
    ) async throws -> Ended {
        let process = try BackhaulProcess(arguments, environment: environment)
        return try await process.end(within: limit)
    }

    package var pid: Int32 { child.pid }

    package var isRunning: Bool { child.isRunning }

    /// Standard error so far.
    package var errors: String { text(of: "errors") }

    /// Waits until standard error holds `text`.
    package func says(_ text: String, within limit: Duration = .seconds(20)) async throws {
        var isThere = false
        do {
            try await eventually(within: limit) {
                isThere = errors.contains(text)
                return isThere || !isRunning
            }
            isThere = errors.contains(text)
        } catch is NeverHappened {}
        guard isThere else {
            throw FixtureError("backhaul (\(pid)) never said “\(text)”; it said: \(errors)")
        }
    }

    /// Sends it a signal.
    package func signal(_ number: Int32) { child.signal(number) }

    /// Asks it to stop; the second time at once.
    package func terminate() { child.signal(SIGTERM) }

    /// Stops it in its tracks.
    package func pause() { child.signal(SIGSTOP) }

    /// Ends it as a crash would.
    package func kill() async throws -> Ended {
        child.signal(SIGKILL)
        return try await end(within: .seconds(10))
    }

    /// Asks it to stop and waits until it has.
    package func stop(within limit: Duration = .seconds(30)) async throws -> Ended {
        terminate()
        return try await end(within: limit)
    }

    /// Waits until it has ended.
    package func end(within limit: Duration = .seconds(30)) async throws -> Ended {
        do { try await child.exit(within: limit) } catch {
            throw FixtureError(
                "backhaul (\(pid)) did not end within \(limit); it said: \(errors)")
        }
        return Ended(
            code: child.exitCode ?? -1, output: text(of: "output"), errors: text(of: "errors"))
    }

    private func text(of file: String) -> String {
        let data = FileManager.default.contents(atPath: directory.path(of: file)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    /// The executable beside the running tests, wherever they were built.
    private static func executable() throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(fileURLWithPath: tests).deletingLastPathComponent()
            .appendingPathComponent("backhaul").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw FixtureError("\(path) is missing: run `swift build` first, or `make test`")
        }
        return path
    }
}
