import ArgumentParser
import JobModel
import Logging
import Redis
import TestSupport
import Testing

@testable import Backhaul

@Suite("Nothing is started on a Redis that would lose jobs")
struct PreflightTests {
    private func settings(_ url: String, anyway: Bool = false) -> Settings {
        var settings = Settings()
        settings.redis.url = .url(url)
        settings.redis.connectTimeout = .seconds(2)
        settings.worker.startsAnyway = anyway
        return settings
    }

    private func obstacles(_ url: String) async throws -> [String] {
        try await Preflight(settings(url)).obstacles().map(\.name)
    }

    @Test("a plain server is fine, even without persistence")
    func plain() async throws {
        let server = try await RedisServer.start()
        #expect(try await obstacles(server.url) == [])
        let log = RecordedLog()
        try await Preflight(settings(server.url)).admit(logger: log.logger)
        #expect(log.lines.isEmpty)
    }

    @Test("an evicting policy is refused with exit code 78, or a warning where it is wanted")
    func evicting() async throws {
        let server = try await RedisServer.start(arguments: ["--maxmemory-policy", "allkeys-lru"])
        let log = RecordedLog()
        let code = await #expect(throws: ExitCode.self) {
            try await Preflight(settings(server.url)).admit(logger: log.logger)
        }
        #expect(code?.rawValue == 78)
        #expect(log.lines.map(\.level) == [.critical])
        #expect(log.lines.first?.metadata[LogKey.checkName] == "redis eviction")
        #expect(log.lines.first?.metadata[LogKey.advice]?.contains("noeviction") == true)
        let second = RecordedLog()
        try await Preflight(settings(server.url, anyway: true)).admit(logger: second.logger)
        #expect(second.lines.map(\.level) == [.warning])
    }

    @Test("a replica is refused, and its own writes are not taken")
    func replica() async throws {
        let primary = try await RedisServer.start()
        let replica = try await RedisServer.start(
            arguments: ["--replicaof", "127.0.0.1 \(primary.port)"])
        try await eventually(within: .seconds(30), "the link to the primary") {
            let info = RedisInfo(
                try await replica.connection().send(RedisCommand("INFO", "replication")).string
                    ?? "")
            return info["master_link_status"] == "up"
        }
        #expect(try await obstacles(replica.url) == ["redis role"])
        let facts = try await facts(replica.url)
        #expect(RedisJudge.writes(facts.refusals).found == "refused: read-only")
        let told = try await self.facts(primary.url)
        #expect(RedisJudge.replication(told.info, told.config).state == .ok)
        withExtendedLifetime(primary) {}
    }

    private func facts(_ url: String) async throws -> RedisFacts {
        let settings = settings(url)
        return try await RedisVisit(settings).run { connection, broker throws(RedisError) in
            try await RedisFacts.gather(
                connection, broker, queues: settings.worker.queues, time: SystemTime(),
                timeout: .seconds(5))
        }
    }

    @Test("keys of another program are refused by name")
    func mistyped() async throws {
        let server = try await RedisServer.start()
        let raw = try server.connection()
        _ = try await raw.pipeline([
            RedisCommand("SET", "unacked", "mine"), RedisCommand("SADD", "payments", "x"),
        ])
        let found = try await Preflight(settings(server.url)).obstacles()
        #expect(found.map(\.name) == ["redis keys"])
        #expect(found[0].found.contains("unacked is a string, not a hash, and 1 more"))
    }

    @Test("a user who may run no scripts, or not the commands within, is refused")
    func permissions() async throws {
        let server = try await RedisServer.start()
        let raw = try server.connection()
        let users = [
            ("noeval", "+@all -eval -evalsha"), ("nolists", "+@all -lmove -rpop"),
            ("nokeys", "+@all resetkeys ~elsewhere*"), ("good", "+@all"),
        ]
        for (name, rules) in users {
            let words =
                ["SETUSER", name, "on", ">pw", "~*", "&*"]
                + rules.split(separator: " ").map(String.init)
            _ = try await raw.send(RedisCommand("ACL", words))
        }
        func url(_ user: String) -> String { "redis://\(user):pw@127.0.0.1:\(server.port)/0" }
        #expect(try await obstacles(url("noeval")) == ["redis scripts"])
        #expect(try await obstacles(url("nolists")) == ["redis scripts"])
        #expect(try await obstacles(url("nokeys")).contains("redis scripts"))
        #expect(try await obstacles(url("good")) == [])
    }

    @Test("a user who may not ask INFO and CONFIG is let in, with warnings from the doctor")
    func hosted() async throws {
        let server = try await RedisServer.start()
        let raw = try server.connection()
        _ = try await raw.send(
            RedisCommand(
                "ACL", "SETUSER", "hosted", "on", ">pw", "~*", "&*", "+@all", "-info", "-config"))
        let url = "redis://hosted:pw@127.0.0.1:\(server.port)/0"
        #expect(try await obstacles(url) == [])
        let checks = await RedisChecks(settings: settings(url), time: SystemTime()).run()
        #expect(checks.allSatisfy { $0.state != .fail })
        #expect(checks.first { $0.name == "redis eviction" }?.state == .warn)
    }

    @Test("trying what workers do changes nothing")
    func changesNothing() async throws {
        let server = try await RedisServer.start(arguments: ["--enable-debug-command", "yes"])
        let raw = try server.connection()
        _ = try await raw.pipeline([
            RedisCommand("HSET", "unacked", "t", "m"),
            RedisCommand("ZADD", "unacked_index", 1, "t"),
            RedisCommand("LPUSH", "celery", "x"),
        ])
        let before = try await raw.send(RedisCommand("DEBUG", "DIGEST")).string
        _ = try await obstacles(server.url)
        _ = await RedisChecks(settings: settings(server.url), time: SystemTime()).run()
        #expect(try await raw.send(RedisCommand("DEBUG", "DIGEST")).string == before)
    }

    @Test("a Redis that is away is waited for, and judged on first contact")
    func away() async throws {
        let server = try await RedisServer.start(arguments: ["--maxmemory-policy", "allkeys-lfu"])
        try await server.kill()
        let log = RecordedLog()
        let preflight = Preflight(settings(server.url))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: ExitCode.self) {
                    try await preflight.admit(logger: log.logger)
                }
            }
            try await eventually(within: .seconds(20), "the wait") {
                log.lines.map(\.message) == ["Redis cannot be reached yet; waiting for it"]
            }
            try await server.restart()
            try await group.waitForAll()
        }
        #expect(log.lines.map(\.level) == [.warning, .critical])
    }
}
