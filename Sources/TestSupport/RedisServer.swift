import Foundation
import Glibc
package import Logging
import Mailbox
package import Redis

/// A private redis-server: own directory, own port on 127.0.0.1, own unix socket, nothing kept.
///
/// It ends with this object, and with the test process whatever ends that.
package final class RedisServer: Sendable {
    package let port: Int
    package let password: String?
    private let directory: TemporaryDirectory
    private let arguments: [String]
    private let child = Locked<ChildProcess?>(nil)

    /// Attempts to find a port that nobody uses.
    private static let portAttempts = 20
    /// Below the ports that the kernel gives to outgoing connections.
    private static let ports = 20_000..<32_000

    /// Starts a server; `arguments` are further options of redis-server, such as
    /// `["--maxmemory", "2mb"]`.
    package static func start(
        password: String? = nil, arguments: [String] = []
    ) async throws -> RedisServer {
        for _ in 0..<portAttempts {
            let server = try RedisServer(
                port: Int.random(in: ports), password: password, arguments: arguments)
            if try await server.launch() { return server }
        }
        throw FixtureError("redis-server found no free port in \(portAttempts) attempts")
    }

    private init(port: Int, password: String?, arguments: [String]) throws {
        self.port = port
        self.password = password
        directory = try TemporaryDirectory(prefix: "backhaul-redis")
        self.arguments =
            [
                "--port", "\(port)", "--bind", "127.0.0.1", "--daemonize", "no",
                "--unixsocket", directory.path(of: "redis.sock"), "--dir", directory.path,
                "--logfile", directory.path(of: "redis.log"), "--save", "", "--appendonly", "no",
            ] + (password.map { ["--requirepass", $0] } ?? []) + arguments
    }

    /// `redis://` over TCP, database 0.
    package var url: String { "redis://\(credentials)127.0.0.1:\(port)/0" }

    /// `unix://` over the socket, database 0.
    package var socketURL: String {
        "unix://\(credentials)\(directory.path(of: "redis.sock"))?db=0"
    }

    /// Where the server keeps its socket and its log.
    package var directoryPath: String { directory.path }

    /// The process, as long as it runs.
    package var pid: Int32? { child.withLock { $0?.pid } }

    /// A connection to this server, over TCP.
    package func connection(
        options: RedisOptions = RedisOptions(), logger: Logger? = nil
    ) throws -> RedisConnection {
        RedisConnection(
            address: try RedisAddress(url: url), options: options,
            logger: logger ?? .silent)
    }

    /// Ends the server in order.
    package func stop() async throws { try await end(SIGTERM) }

    /// Ends the server at once, as a crash would.
    package func kill() async throws { try await end(SIGKILL) }

    /// Starts the server again at the same address, empty, ending it first if need be.
    package func restart() async throws {
        try await kill()
        guard try await launch() else {
            throw FixtureError("redis-server cannot have its port \(port) again")
        }
    }

    /// Stops the process in its tracks: connections stay open, nothing is answered.
    package func pause() { child.withLock { $0 }?.signal(SIGSTOP) }

    /// Lets a paused process go on.
    package func resume() { child.withLock { $0 }?.signal(SIGCONT) }

    private var credentials: String { password.map { ":\($0)@" } ?? "" }

    private func end(_ signal: Int32) async throws {
        guard let child = child.withLock({ $0 }) else { return }
        child.signal(SIGCONT)  // a paused process hears only SIGKILL
        child.signal(signal)
        try await child.exit()
        self.child.withLock { $0 = nil }
    }

    /// Returns false if the port is taken.
    private func launch() async throws -> Bool {
        let log = directory.path(of: "redis.log")
        try Data().write(to: URL(fileURLWithPath: log))
        let child = try ChildProcess("redis-server", arguments, in: directory.path)
        self.child.withLock { $0 = child }
        var text = ""
        try await eventually("redis-server's readiness") {
            text = try String(contentsOfFile: log, encoding: .utf8)
            return text.contains("Ready to accept connections") || !child.isRunning
        }
        if child.isRunning { return true }
        self.child.withLock { $0 = nil }
        if text.contains("Address already in use") { return false }
        throw FixtureError("redis-server did not start; its log says: \(text)")
    }
}
