import Foundation
import Glibc

/// A private pgbouncer in transaction mode in front of a test's PostgreSQL server: own directory, own
/// port of 127.0.0.1.
///
/// It ends with this object, and with the test process whatever ends that. A machine without
/// pgbouncer fails the test.
package final class PrivatePgBouncer: Sendable {
    package let port: Int
    private let directory: TemporaryDirectory
    private let child: ChildProcess

    /// Attempts to find a port that nobody uses.
    private static let portAttempts = 20
    /// Below the ports that the kernel gives to outgoing connections.
    private static let ports = 20_000..<32_000

    /// Starts one with so many connections to the server, shared by all its clients.
    package static func start(
        to server: PostgresServer, poolSize: Int = 8
    ) async throws -> PrivatePgBouncer {
        for _ in 0..<portAttempts {
            let bouncer = try PrivatePgBouncer(
                port: Int.random(in: ports), server: server.port, poolSize: poolSize)
            if try await bouncer.isReady() { return bouncer }
        }
        throw FixtureError("pgbouncer found no free port in \(portAttempts) attempts")
    }

    private init(port: Int, server: Int, poolSize: Int) throws {
        self.port = port
        directory = try TemporaryDirectory(prefix: "backhaul-pgbouncer")
        let users = directory.path(of: "users.txt")
        try Data("\"postgres\" \"\"\n".utf8).write(to: URL(fileURLWithPath: users))
        let settings = """
            [databases]
            * = host=127.0.0.1 port=\(server)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = trust
            auth_file = \(users)
            pool_mode = transaction
            default_pool_size = \(poolSize)
            max_client_conn = 500
            ignore_startup_parameters = extra_float_digits, options
            """
        let file = directory.path(of: "pgbouncer.ini")
        try Data(settings.utf8).write(to: URL(fileURLWithPath: file))
        // It will not run as root, and so must be able to read its directory as somebody else.
        let isRoot = getuid() == 0
        if isRoot {
            for path in [directory.path, users, file] {
                try FileManager.default.setAttributes(
                    [.ownerAccountName: "postgres"], ofItemAtPath: path)
            }
        }
        let identity = isRoot ? ["-u", "postgres"] : []
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .first(where: FileManager.default.isExecutableFile)
        child = try ChildProcess(
            program ?? "pgbouncer", identity + [file], in: directory.path,
            errors: directory.path(of: "log"))
    }

    /// The address of a database of the server, by way of this.
    package func url(database: String) -> String {
        "postgresql://postgres@127.0.0.1:\(port)/\(database)"
    }

    /// The same address as `url`, by way of this.
    package func url(instead url: String) -> String {
        self.url(database: String(url.split(separator: "/").last ?? "postgres"))
    }

    /// Returns false if the port is taken.
    private func isReady() async throws -> Bool {
        var log = ""
        try await eventually("pgbouncer's readiness") {
            log = (try? String(contentsOfFile: directory.path(of: "log"), encoding: .utf8)) ?? ""
            return log.contains("process up") || !child.isRunning
        }
        if child.isRunning { return true }
        if log.contains("ddress already in use") { return false }
        throw FixtureError("pgbouncer did not start; its log says: \(log)")
    }
}
