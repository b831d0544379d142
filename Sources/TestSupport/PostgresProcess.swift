import Foundation
import Glibc
import Mailbox

/// One process of a PostgreSQL server, which dies with the test process whatever ends that.
///
/// The kernel's parent-death signal counts the *thread* that started the child as its parent, so
/// each child has a thread of its own that waits for its end.
final class PostgresProcess: Sendable {
    private struct State {
        var pid: Int32?
        var status: Int32?
        var failure: (any Error)?
        var waiters: [CheckedContinuation<Int32, Never>] = []
        var starter: CheckedContinuation<Void, any Error>?
    }

    private let state = Locked(State())

    /// Starts `command` with its output appended to `log`.
    static func run(_ command: [String], log: URL) async throws -> PostgresProcess {
        let started = PostgresProcess()
        try await withCheckedThrowingContinuation { continuation in
            started.state.withLock { $0.starter = continuation }
            _ = OwnerThread(name: "postgres-test") { started.live(command, log: log) }
        }
        return started
    }

    /// The command that runs `command` as a user that PostgreSQL accepts.
    ///
    /// SIGQUIT is its immediate shutdown: it also ends the children and frees shared memory.
    static func asServerUser(_ command: [String]) -> [String] {
        let identity =
            getuid() == 0 ? ["--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
        return ["/usr/bin/setpriv", "--pdeathsig=QUIT"] + identity + command
    }

    /// Sends a signal unless the process has ended.
    func send(_ signal: Int32) {
        state.withLock { state in
            if let pid = state.pid, state.status == nil { kill(pid, signal) }
        }
    }

    var hasExited: Bool { state.withLock { $0.status != nil } }

    /// Waits for the end.
    func exitStatus() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = state.withLock { state in
                if state.status == nil { state.waiters.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    private func live(_ command: [String], log: URL) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.currentDirectoryURL = log.deletingLastPathComponent()
        process.environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
        process.standardInput = FileHandle.nullDevice
        if !FileManager.default.fileExists(atPath: log.path) {
            _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        }
        let output = FileHandle(forWritingAtPath: log.path) ?? FileHandle.nullDevice
        _ = try? output.seekToEnd()
        process.standardOutput = output
        process.standardError = output
        do {
            try process.run()
        } catch {
            takeStarter()?.resume(throwing: error)
            return
        }
        state.withLock { $0.pid = process.processIdentifier }
        takeStarter()?.resume()
        process.waitUntilExit()
        let status = process.terminationStatus
        let waiters = state.withLock { state in
            state.status = status
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }

    private func takeStarter() -> CheckedContinuation<Void, any Error>? {
        state.withLock { state in
            defer { state.starter = nil }
            return state.starter
        }
    }
}
