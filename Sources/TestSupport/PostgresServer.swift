package import Foundation
import Glibc
import Logging
import Mailbox
package import Postgres

/// A private PostgreSQL server for tests: own directory, unix socket and 127.0.0.1 port, no fsync.
///
/// It runs as user `postgres` when the tests run as root, and stops with the process that started
/// it, however that ends. A machine without PostgreSQL fails the test.
package final class PostgresServer: Sendable {
    /// What keeps a server from starting.
    package struct StartError: Error, CustomStringConvertible {
        package let description: String
    }

    private struct State {
        var process: PostgresProcess?
        var databases = 0
    }

    /// The TCP port on 127.0.0.1, kept over restarts.
    package let port: Int
    /// Holds the data, the log and the unix socket.
    package let directory: URL
    private let binaries: URL
    private let state = Locked(State())
    private let admin: PostgresPool

    private init(port: Int, directory: URL, binaries: URL) {
        self.port = port
        self.directory = directory
        self.binaries = binaries
        admin = Self.pool(Self.url(port: port, database: "postgres")) { $0.poolSize = 2 }
    }

    /// The URL of the maintenance database, over TCP.
    package var url: String { Self.url(port: port, database: "postgres") }

    /// The URL of a database, over TCP.
    package func url(database: String) -> String { Self.url(port: port, database: database) }

    /// The URL of the maintenance database, over the unix socket.
    package var socketURL: String {
        "postgresql:///postgres?host=\(directory.path)&port=\(port)&user=postgres"
    }

    private static func url(port: Int, database: String) -> String {
        "postgresql://postgres@127.0.0.1:\(port)/\(database)"
    }

    // MARK: Databases

    /// Makes a fresh database and returns its URL.
    ///
    /// The name of a template must be that of a database that nobody uses.
    package func makeDatabase(template: String = "template0") async throws -> String {
        let number = state.withLock { state in
            state.databases += 1
            return state.databases
        }
        let name = "test_\(ProcessInfo.processInfo.processIdentifier)_\(number)"
        _ = try await admin.query(
            PostgresQuery(
                trustedSQL: "create database \(name) template \(template)", name: "test.create"))
        return url(database: name)
    }

    /// Runs `body` with the URL of a fresh database and drops it afterwards.
    package func withDatabase<Value: Sendable>(
        template: String = "template0", _ body: (String) async throws -> Value
    ) async throws -> Value {
        let url = try await makeDatabase(template: template)
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await body(url))
        } catch {
            outcome = .failure(error)
        }
        let name = url.split(separator: "/").last ?? ""
        _ = try await admin.query(
            PostgresQuery(trustedSQL: "drop database \(name) with (force)", name: "test.drop"))
        return try outcome.get()
    }

    /// Runs `body` with a pool on a fresh database, and drops both afterwards.
    package func withPool<Value: Sendable>(
        template: String = "template0", options: PostgresOptions = .test(),
        _ body: (PostgresPool) async throws -> Value
    ) async throws -> Value {
        try await withDatabase(template: template) { url in
            let pool = Self.pool(url) { target in
                target = options
                target.conninfo = url
            }
            let outcome: Result<Value, any Error>
            do {
                outcome = .success(try await body(pool))
            } catch {
                outcome = .failure(error)
            }
            await pool.shutdown()
            return try outcome.get()
        }
    }

    /// A silent pool on a database; the caller shuts it down.
    package static func pool(
        _ url: String, configure: (inout PostgresOptions) -> Void = { _ in }
    ) -> PostgresPool {
        var options = PostgresOptions(url: url)
        configure(&options)
        return PostgresPool(
            options: options,
            logger: Logger(label: "test.postgres") { _ in SwiftLogNoOpLogHandler() })
    }

    // MARK: Life

    /// The server that all tests of this process share; started by the first to ask.
    package static var shared: PostgresServer {
        get async throws { try await SharedPostgresServer.instance.server() }
    }

    /// Starts a server of one's own, for tests that kill or restart it.
    package static func start() async throws -> PostgresServer {
        let binaries = try findBinaries()
        let directory = try makeDirectory()
        let log = directory.appendingPathComponent("log")
        let initdb = try await PostgresProcess.run(
            PostgresProcess.asServerUser(
                [
                    binaries.appendingPathComponent("initdb").path, "--no-sync", "--auth=trust",
                    "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8",
                    "--no-instructions", "--pgdata=\(directory.path)/data",
                ]), log: log)
        guard await initdb.exitStatus() == 0 else {
            throw StartError(description: "initdb failed: \(tail(log))")
        }
        var failure = ""
        // A port may be another's; the server then refuses to start.
        for _ in 0..<portAttempts {
            let server = PostgresServer(
                port: Int.random(in: ports), directory: directory, binaries: binaries)
            do {
                try await server.launch()
                return server
            } catch {
                failure = "\(error)"
            }
        }
        throw StartError(description: failure)
    }

    /// Ends the server at once, as a crash of the machine would: nobody is told.
    package func kill() async { await end(SIGKILL) }

    /// Ends the server in order; sessions are terminated with an `adminShutdown`.
    package func stop() async { await end(SIGINT) }

    /// Stops the server in its tracks: connections are accepted by the kernel and never answered.
    package func pause() { state.withLock { $0.process }?.send(SIGSTOP) }

    /// Lets a paused server go on.
    package func resume() { state.withLock { $0.process }?.send(SIGCONT) }

    /// Starts the server again on the same port and data; ends it first if it runs.
    package func restart() async throws {
        await stop()
        try await launch()
    }

    /// Ends the server and removes its directory.
    package func remove() async {
        await end(SIGQUIT)
        await admin.shutdown()
        try? FileManager.default.removeItem(at: directory)
    }

    private func end(_ signal: Int32) async {
        guard let process = state.withLock({ $0.process }) else { return }
        process.send(signal)
        _ = await process.exitStatus()
        state.withLock { $0.process = nil }
    }

    private func launch() async throws {
        let log = directory.appendingPathComponent("log")
        let settings = [
            "listen_addresses=127.0.0.1", "unix_socket_directories=\(directory.path)",
            "fsync=off", "full_page_writes=off", "max_connections=300", "shared_buffers=32MB",
            "timezone=UTC", "log_timezone=UTC", "autovacuum=off", "max_wal_size=256MB",
        ]
        let arguments =
            [
                binaries.appendingPathComponent("postgres").path,
                "-D", directory.appendingPathComponent("data").path, "-p", String(port),
            ] + settings.flatMap { ["-c", $0] }
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: .seconds(30))
        var process = try await PostgresProcess.run(
            PostgresProcess.asServerUser(arguments), log: log)
        while clock.now < deadline {
            if (try? await admin.query("select 1")) != nil {
                state.withLock { $0.process = process }
                return
            }
            if process.hasExited {
                // After a kill, the old server's children may hold its memory for a moment.
                guard Self.tail(log).contains("still in use") else { break }
                process = try await PostgresProcess.run(
                    PostgresProcess.asServerUser(arguments), log: log)
            }
            try await clock.sleep(for: Self.pollInterval)
        }
        process.send(SIGQUIT)
        throw StartError(description: "PostgreSQL did not start: \(Self.tail(log))")
    }

    private static let pollInterval: Duration = .milliseconds(50)
    private static let portAttempts = 5
    /// Below the ports that the kernel gives to outgoing connections.
    private static let ports = 20_000..<32_000

    // MARK: Places

    private static func findBinaries() throws -> URL {
        let root = URL(fileURLWithPath: "/usr/lib/postgresql")
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
        let newestFirst = versions.compactMap(Int.init).sorted(by: >)
        for version in newestFirst {
            let folder = root.appendingPathComponent("\(version)/bin")
            let postgres = folder.appendingPathComponent("postgres").path
            if FileManager.default.isExecutableFile(atPath: postgres) { return folder }
        }
        throw StartError(
            description: "no PostgreSQL server in \(root.path)/*/bin; install postgresql")
    }

    private static let directoryPrefix = "backhaul-postgres-"

    /// Makes a directory that the server's user owns, and removes those of processes long gone.
    private static func makeDirectory() throws -> URL {
        let files = FileManager.default
        let root = URL(fileURLWithPath: "/tmp")
        for name in (try? files.contentsOfDirectory(atPath: root.path)) ?? []
        where name.hasPrefix(directoryPrefix) {
            let owner = name.dropFirst(directoryPrefix.count).prefix { $0 != "-" }
            if let pid = Int32(owner), Glibc.kill(pid, 0) != 0, errno == ESRCH {
                try? files.removeItem(at: root.appendingPathComponent(name))
            }
        }
        let pid = ProcessInfo.processInfo.processIdentifier
        let name = "\(directoryPrefix)\(pid)-\(UUID().uuidString.prefix(8))"
        let directory = root.appendingPathComponent(name)
        try files.createDirectory(at: directory, withIntermediateDirectories: false)
        if getuid() == 0 {
            try files.setAttributes([.ownerAccountName: "postgres"], ofItemAtPath: directory.path)
        }
        return directory
    }

    /// Removes a server when the process exits; one that is killed leaves its directory to the next.
    static func removeAtExit(_ server: PostgresServer) {
        let isFirst = leftovers.withLock { servers in
            servers.append(server)
            return servers.count == 1
        }
        guard isFirst else { return }
        atexit { PostgresServer.removeLeftovers() }
    }

    private static func removeLeftovers() {
        for server in leftovers.withLock({ $0 }) {
            let process = server.state.withLock { $0.process }
            process?.send(SIGQUIT)
            for _ in 0..<exitChecks where process?.hasExited == false {
                usleep(exitCheckMicroseconds)
            }
            try? FileManager.default.removeItem(at: server.directory)
        }
    }

    private static let exitChecks = 400
    private static let exitCheckMicroseconds: UInt32 = 5_000
    private static let leftovers = Locked<[PostgresServer]>([])

    private static func tail(_ log: URL) -> String {
        let text = (try? String(contentsOf: log, encoding: .utf8)) ?? "no log"
        return text.split(separator: "\n").suffix(8).joined(separator: "\n")
    }
}

extension PostgresOptions {
    /// Options whose database a fixture fills in.
    package static func test(
        _ change: (inout PostgresOptions) -> Void = { _ in }
    ) -> PostgresOptions {
        var options = PostgresOptions(conninfo: "")
        change(&options)
        return options
    }
}
