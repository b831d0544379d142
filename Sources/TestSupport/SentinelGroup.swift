import Foundation
package import Logging
import Mailbox
package import Redis

/// A master, a replica and the Sentinels that watch them, all private.
///
/// They end with this object, and with the test process whatever ends that.
package final class SentinelGroup: Sendable {
    package static let master = "backhaul-test"
    private static let ports = 32_000..<32_700
    private static let portAttempts = 20

    /// The two servers; the first is the master at the start.
    package let servers: [RedisServer]
    private let sentinels: Locked<[Sentinel]>
    private let sentinelPassword: String?

    private struct Sentinel: Sendable {
        let port: Int
        let directory: TemporaryDirectory
        let process: ChildProcess
    }

    /// Starts everything and waits until the Sentinels know the replica and each other.
    package static func start(
        sentinels count: Int = 1, password: String? = nil, sentinelPassword: String? = nil
    ) async throws -> SentinelGroup {
        let login = password.map { ["--masterauth", $0] } ?? []
        let first = try await RedisServer.start(
            password: password, arguments: login + ["--repl-diskless-sync-delay", "0"])
        let second = try await RedisServer.start(
            password: password,
            arguments: login + [
                "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", "\(first.port)",
            ])
        let raw = try first.connection()
        try await eventually("the replica") {
            try await raw.send(RedisCommand("INFO", "replication")).string?
                .contains("state=online") == true
        }
        await raw.close()
        let group = SentinelGroup(
            servers: [first, second], sentinels: Locked([]), sentinelPassword: sentinelPassword)
        for _ in 0..<count { try await group.addSentinel(quorum: count / 2 + 1) }
        try await group.waitUntilAcquainted()
        return group
    }

    private init(
        servers: [RedisServer], sentinels: Locked<[Sentinel]>, sentinelPassword: String?
    ) {
        self.servers = servers
        self.sentinels = sentinels
        self.sentinelPassword = sentinelPassword
    }

    /// Where the Sentinels listen.
    package var ports: [Int] { sentinels.withLock { $0.map(\.port) } }

    /// The URL of the master, whichever server it is.
    package var url: String {
        let login = servers[0].password.map { ":\($0)@" } ?? ""
        let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        let query = sentinelPassword.map { "&sentinel_password=\($0)" } ?? ""
        return "redis-sentinel://\(login)\(hosts)/0?master=\(Self.master)\(query)"
    }

    /// A connection to the master, found through the Sentinels.
    package func connection(
        options: RedisOptions = RedisOptions(), logger: Logger? = nil
    ) throws -> RedisConnection {
        RedisConnection(
            address: try RedisAddress(url: url), options: options, logger: logger ?? .silent)
    }

    /// Makes the replica the master in good order, and waits until it is.
    package func failOver() async throws {
        let raw = try sentinelConnection(0)
        try await eventually(within: .seconds(20), "the beginning of a failover") {
            do throws(RedisError) {
                _ = try await raw.send(RedisCommand("SENTINEL", "FAILOVER", Self.master))
                return true
            } catch {
                return error.serverCode == "INPROG"
            }
        }
        await raw.close()
        try await waitForMaster(servers[1])
    }

    /// Waits until the first Sentinel names `server` as the master.
    package func waitForMaster(
        _ server: RedisServer, within limit: Duration = .seconds(40)
    ) async throws {
        let raw = try sentinelConnection(0)
        try await eventually(within: limit, "the master at \(server.port)") {
            let reply = try await raw.send(
                RedisCommand("SENTINEL", "get-master-addr-by-name", Self.master))
            return reply.array?.last?.int == server.port
        }
        await raw.close()
    }

    /// Ends one Sentinel.
    package func killSentinel(_ index: Int) async throws {
        let process = sentinels.withLock { $0[index].process }
        process.signal(9)
        try await process.exit()
    }

    private func sentinelConnection(_ index: Int) throws -> RedisConnection {
        let login = sentinelPassword.map { ":\($0)@" } ?? ""
        let url = "redis://\(login)127.0.0.1:\(ports[index])"
        return RedisConnection(address: try RedisAddress(url: url), logger: .silent)
    }

    private func addSentinel(quorum: Int) async throws {
        for _ in 0..<Self.portAttempts {
            let port = Int.random(in: Self.ports)
            let directory = try TemporaryDirectory(prefix: "backhaul-sentinel")
            let log = directory.path(of: "sentinel.log")
            let file = directory.path(of: "sentinel.conf")
            try Data(configuration(port, directory, quorum: quorum).utf8)
                .write(to: URL(fileURLWithPath: file))
            try Data().write(to: URL(fileURLWithPath: log))
            let process = try ChildProcess(
                "redis-server", [file, "--sentinel"], in: directory.path)
            try await eventually("a Sentinel") {
                try String(contentsOfFile: log, encoding: .utf8).contains("+monitor")
                    || !process.isRunning
            }
            guard process.isRunning else { continue }
            let sentinel = Sentinel(port: port, directory: directory, process: process)
            return sentinels.withLock { $0.append(sentinel) }
        }
        throw FixtureError("a Sentinel found no free port in \(Self.portAttempts) attempts")
    }

    private func configuration(
        _ port: Int, _ directory: TemporaryDirectory, quorum: Int
    ) -> String {
        let name = Self.master
        var lines = [
            "port \(port)", "bind 127.0.0.1", "dir \(directory.path)",
            "logfile \(directory.path(of: "sentinel.log"))",
            "sentinel monitor \(name) 127.0.0.1 \(servers[0].port) \(quorum)",
            "sentinel down-after-milliseconds \(name) 1000",
            "sentinel failover-timeout \(name) 5000",
        ]
        if let password = servers[0].password {
            lines.append("sentinel auth-pass \(name) \(password)")
        }
        if let sentinelPassword {
            lines.append("requirepass \(sentinelPassword)")
            lines.append("sentinel sentinel-pass \(sentinelPassword)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func waitUntilAcquainted() async throws {
        let others = ports.count - 1
        for index in ports.indices {
            let raw = try sentinelConnection(index)
            try await eventually(within: .seconds(30), "the acquaintance of Sentinel \(index)") {
                let reply = try await raw.send(RedisCommand("SENTINEL", "MASTER", Self.master))
                let texts = (reply.array ?? []).map { $0.string ?? "" }
                func value(_ name: String) -> Int? {
                    texts.firstIndex(of: name).flatMap { Int(texts[$0 + 1]) }
                }
                return value("num-slaves") == 1 && value("num-other-sentinels") == others
            }
            await raw.close()
        }
    }
}
