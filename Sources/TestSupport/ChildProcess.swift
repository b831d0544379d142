import Dispatch
import Foundation
import Glibc
import Mailbox

/// A program started by a test, which dies with the test process whatever ends that.
///
/// `setpriv --pdeathsig` asks the kernel for this. The kernel counts the *thread* that started the
/// child as its parent, so each child has a thread of its own that lives exactly as long.
package final class ChildProcess: Sendable {
    private enum Start {
        case pending
        case running
        case failed(any Error)
    }

    package let pid: Int32
    private let process: Process
    private let thread: OwnerThread

    /// Starts `executable` (a path, or a name to look for on `PATH`) without input.
    ///
    /// `environment` replaces this process's own; `output` and `errors` are files to write to,
    /// without which what the child says is dropped.
    package init(
        _ executable: String, _ arguments: [String], in directory: String,
        environment: [String: String]? = nil, output: String? = nil, errors: String? = nil
    ) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try Self.path(of: "setpriv"))
        process.arguments =
            ["--pdeathsig", "KILL", "--", try Self.path(of: executable)] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try Self.file(output)
        process.standardError = try Self.file(errors)
        if let environment { process.environment = environment }
        let start = Locked(Start.pending)
        let started = DispatchSemaphore(value: 0)
        thread = OwnerThread(name: "child-process") {
            Self.unblockSignals()
            do {
                try process.run()
                start.withLock { $0 = .running }
                started.signal()
                process.waitUntilExit()
            } catch {
                start.withLock { $0 = .failed(error) }
                started.signal()
            }
        }
        started.wait()
        if case .failed(let error) = start.withLock({ $0 }) { throw error }
        self.process = process
        pid = process.processIdentifier
    }

    deinit { signal(SIGKILL) }

    package var isRunning: Bool { process.isRunning }

    /// How it ended: its exit code, or 128 and the number of the signal as a shell says; nil while
    /// it runs.
    package var exitCode: Int32? {
        guard !process.isRunning else { return nil }
        let status = process.terminationStatus
        return process.terminationReason == .uncaughtSignal ? 128 + status : status
    }

    /// Sends a signal, unless the child has ended.
    package func signal(_ number: Int32) {
        if process.isRunning { kill(pid, number) }
    }

    /// Waits until the child has ended.
    package func exit(within limit: Duration = .seconds(10)) async throws {
        try await eventually(within: limit, "the end of process \(pid)") { !isRunning }
    }

    private static func file(_ path: String?) throws -> FileHandle {
        guard let path else { return FileHandle.nullDevice }
        try Data().write(to: URL(fileURLWithPath: path))
        guard let handle = FileHandle(forWritingAtPath: path) else {
            throw FixtureError("\(path) cannot be written")
        }
        return handle
    }

    /// Lets this thread, and so the child it starts, hear every signal.
    ///
    /// A thread inherits the mask of the one that made it, and the threads that run tests block
    /// nearly everything: without this a child would never see SIGTERM.
    private static func unblockSignals() {
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, nil)
    }

    /// The absolute path of a program; throws a sentence that names it if it is not installed.
    package static func path(of executable: String) throws -> String {
        if executable.hasPrefix("/") { return executable }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for folder in folders {
            let path = "\(folder)/\(executable)"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw FixtureError("\(executable) is not on PATH: the tests need it installed")
    }
}

/// A test's server or program cannot be started or found.
package struct FixtureError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
