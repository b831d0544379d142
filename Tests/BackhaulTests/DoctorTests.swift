import ArgumentParser
import Foundation
import JobModel
import Postgres
import Redis
import Store
import TestSupport
import Testing

@testable import Backhaul

@Suite("The doctor finds what would lose jobs, and says what to do")
struct DoctorTests {
    private func checks(_ environment: [String: String]) async -> [DoctorCheck] {
        await DoctorCommand.checks(settings: { () throws(SettingsError) in
            try SettingsLoader(
                environment: environment,
                flags: [FlagValue(key: "redis.connect_timeout_seconds", text: "2", flag: "--set")]
            ).load()
        })
    }

    private func check(_ name: String, in checks: [DoctorCheck]) throws -> DoctorCheck {
        try #require(checks.first { $0.name == name }, "no check named \(name)")
    }

    /// A port on which nothing listens: only root could.
    private static let deadPort = 1

    @Test("wrong settings are reported as such, and nothing else is tried")
    func wrongSettings() async throws {
        let found = await checks(["BACKHAUL_LOG_LEVEL": "loud", "BACKHAUL_NONE": "1"])
        #expect(found.map(\.name) == ["settings", "settings"])
        #expect(found.allSatisfy { $0.state == .fail })
    }

    @Test("servers that cannot be reached are named, with what to look at and no password")
    func unreachableServers() async throws {
        let found = await checks([
            "REDIS_URL": "redis://:hunter2@127.0.0.1:\(Self.deadPort)/0",
            "DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:\(Self.deadPort)/x",
        ])
        let redis = try check("redis", in: found)
        #expect(redis.state == .fail)
        #expect(redis.found.contains("cannot reach Redis at redis://***@127.0.0.1:1/0"))
        #expect(redis.advice?.contains("REDIS_URL") == true)
        let database = try check("database", in: found)
        #expect(database.state == .fail)
        #expect(database.found.contains("cannot reach PostgreSQL at 127.0.0.1:1/x"))
        #expect(database.found.contains("refused"))
        #expect(database.advice?.contains("DATABASE_URL") == true)
        #expect(!DoctorCommand.table(found).contains("hunter2"))
    }

    @Test("a server that wants a password is told from one that is not there")
    func wrongPassword() async throws {
        let server = try await RedisServer.start(password: "right")
        let found = await checks(["REDIS_URL": "redis://:wrong@127.0.0.1:\(server.port)/0"])
        let redis = try check("redis", in: found)
        #expect(redis.state == .fail)
        #expect(redis.advice == "are the user and the password in REDIS_URL right?")
        withExtendedLifetime(server) {}
    }

    @Test("a Redis made for caching fails, one without persistence is warned about")
    func cachingServer() async throws {
        let server = try await RedisServer.start(
            arguments: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"])
        let found = await checks(["REDIS_URL": server.url])
        #expect(try check("redis", in: found).state == .ok)
        #expect(try check("redis version", in: found).state == .ok)
        #expect(try check("redis role", in: found).state == .ok)
        #expect(try check("clock", in: found).state == .ok)
        #expect(try check("redis eviction", in: found).state == .fail)
        #expect(try check("redis persistence", in: found).state == .warn)
        withExtendedLifetime(server) {}
    }

    @Test("a Redis set up for jobs passes")
    func goodServer() async throws {
        let server = try await RedisServer.start(arguments: ["--appendonly", "yes"])
        let found = await checks(["REDIS_URL": server.url])
        #expect(try check("redis eviction", in: found) == .ok("redis eviction", "noeviction"))
        #expect(
            try check("redis persistence", in: found)
                == .ok("redis persistence", "appendonly, appendfsync everysec"))
        for name in ["redis scripts", "redis writes", "redis keys", "redis clients", "queues"] {
            #expect(try check(name, in: found).state == .ok)
        }
        withExtendedLifetime(server) {}
    }

    @Test("migrations are judged: edited, pending, of a newer program")
    func migrations() {
        let date = Date(timeIntervalSince1970: 0)
        func judged(_ states: [MigrationStatus.State]) -> DoctorCheck {
            DatabaseChecks.judge(states.enumerated().map { ($0.offset + 1, $0.element) })
        }
        #expect(judged([.applied(at: date)]) == .ok("migrations", "1 applied, none pending"))
        #expect(judged([.applied(at: date), .pending]).found == "pending: 2")
        #expect(judged([.changed(appliedAt: date), .pending]).found.hasSuffix("applied: 1"))
        #expect(judged([.applied(at: date), .unknown(appliedAt: date)]).state == .fail)
    }

    @Test("an empty database is told to migrate, and stays empty; a prepared one passes")
    func database() async throws {
        try await PostgresServer.shared.withDatabase { url in
            for _ in 0..<2 {
                let found = await checks(["DATABASE_URL": url])
                #expect(try check("database", in: found).state == .ok)
                #expect(try check("database role", in: found).state == .ok)
                #expect(try check("migrations", in: found).advice == "run: backhaul migrate up")
            }
            try await MigrateCommand.Up.parse(["--database", url]).run()
            let found = await checks(["DATABASE_URL": url])
            #expect(try check("migrations", in: found).state == .ok)
        }
    }

    @Test("a schedule that cannot be used is named with its place")
    func schedule() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path(of: "schedule.yaml")
        #expect(ScheduleCheck.run(path).state == .fail)
        try Data("nonsense: [".utf8).write(to: URL(fileURLWithPath: path))
        #expect(ScheduleCheck.run(path).found.contains(path))
        let shipped = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("config/schedule.yaml").path
        #expect(ScheduleCheck.run(shipped).state == .ok)
    }

    @Test("the table has a line for each check and one for what to do")
    func table() {
        let checks: [DoctorCheck] = [
            .ok("redis", "answers"), .fail("migrations", "pending: 1\n2", advice: "run this"),
        ]
        #expect(
            DoctorCommand.table(checks)
                == "ok    redis       answers\nfail  migrations  pending: 1 2\n      → run this")
    }
}
