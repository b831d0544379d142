import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Backhaul

@Suite("The doctor looks at the queues")
struct QueueChecksTests {
    private func checks(
        _ server: QueueServer, _ change: (inout Settings) -> Void = { _ in }
    ) async throws -> [DoctorCheck] {
        var settings = Settings()
        change(&settings)
        let broker = try RedisBroker(
            url: server.url, options: settings.brokerOptions, logger: .silent)
        let checks = await QueueChecks(broker: broker, settings: settings).run()
        await broker.close()
        return checks
    }

    private func check(_ name: String, in checks: [DoctorCheck]) throws -> DoctorCheck {
        try #require(checks.first { $0.name == name }, "no check named \(name)")
    }

    @Test("an empty server has nothing to be said against it")
    func empty() async throws {
        let found = try await checks(try await QueueServer())
        #expect(found.allSatisfy { $0.state == .ok })
        #expect(
            Set(found.map(\.name)) == [
                "workers", "in flight", "delayed", "chords", "dead letters", "quarantine",
                "leftovers",
                "queues",
            ])
    }

    @Test("messages that nobody serves are found, with the priorities they wait at")
    func unserved() async throws {
        let server = try await QueueServer()
        try await server.broker.declare(["reports"])
        _ = try await server.raw.pipeline([
            RedisCommand("LPUSH", "reports\u{6}\u{16}3", "x", "y"),
            RedisCommand("LPUSH", "celery", "z"),
        ])
        let queues = try check("queues", in: try await checks(server))
        #expect(queues.state == .warn)
        #expect(queues.found.contains("reports (2 of priority 3)"))
        #expect(queues.found.contains("celery (1 of priority 0)"))
        let presence = WorkerPresence(
            worker: WorkerID(host: "h", processID: 1, random: 1), host: "h", processID: 1,
            queues: ["reports", "celery"], concurrency: 1,
            startedAt: Date(timeIntervalSince1970: 0), version: "test")
        let future = Int64(Date().timeIntervalSince1970 * 1000) + 600_000
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        _ = try await server.raw.pipeline([
            RedisCommand("ZADD", "backhaul:workers", future, presence.worker),
            RedisCommand(
                "HSET", "backhaul:presence", presence.worker, [UInt8](try encoder.encode(presence))),
        ])
        let served = try await checks(server)
        #expect(try check("queues", in: served).state == .ok)
        #expect(try check("workers", in: served).found == "1 alive")
        _ = try await server.raw.send(
            RedisCommand("ZADD", "backhaul:workers", 1000, presence.worker))
        let dead = try await checks(server)
        #expect(try check("queues", in: dead).state == .warn)
        #expect(try check("workers", in: dead).state == .warn)
    }

    @Test("what Celery left in flight, and what is late, is found")
    func stale() async throws {
        let server = try await QueueServer()
        let now = Date().timeIntervalSince1970
        _ = try await server.raw.pipeline([
            RedisCommand("ZADD", "unacked_index", now - 7200, "0b5f7c1e-8f5a"),
            RedisCommand("ZADD", "unacked_index", now - 7200, "web01.1.a-1-1"),
            RedisCommand("ZADD", "unacked_index", now, "web01.1.a-1-2"),
            RedisCommand("ZADD", "backhaul:delayed", (now - 90) * 1000, "late"),
            RedisCommand("ZADD", "backhaul:delayed", (now + 90) * 1000, "early"),
        ])
        let found = try await checks(server)
        let flight = try check("in flight", in: found)
        #expect(flight.state == .warn)
        #expect(flight.found.contains("1 reserved by Celery workers, 1 by ours"))
        let delayed = try check("delayed", in: found)
        #expect(delayed.state == .warn)
        #expect(delayed.found.hasPrefix("2, of them 1 late, the first by 9"))
    }

    @Test("a grave that is nearly full is warned about, with what it has dropped")
    func fullGrave() async throws {
        let server = try await QueueServer()
        for number in 0..<8 {
            _ = try await server.raw.send(
                RedisCommand("ZADD", "backhaul:dead", number, "e\(number)"))
        }
        _ = try await server.raw.send(RedisCommand("HSET", "backhaul:counters", "dead.dropped", 5))
        let found = try await checks(server) { $0.dead.maximumEntries = 10 }
        let dead = try check("dead letters", in: found)
        #expect(dead.state == .warn)
        #expect(dead.found == "8 of at most 10; 5 were dropped so far to make room")
        #expect(try check("quarantine", in: found).state == .ok)
    }

    @Test("messages in an inbox whose worker is gone are found")
    func inboxes() async throws {
        let server = try await QueueServer()
        _ = try await server.raw.send(RedisCommand("LPUSH", "backhaul:inbox:h.1.a:mail", "x"))
        let inboxes = try check("inboxes", in: try await checks(server))
        #expect(inboxes.state == .warn)
        #expect(inboxes.advice?.contains("backhaul:inbox:h.1.a:mail") == true)
    }

    @Test("reply queues are rubbish only when nobody used them for a day, and the age is known")
    func replyQueues() {
        var survey = KeySurvey()
        survey.replyQueues = [
            ReplyQueue(key: "old", idle: .seconds(90_000)),
            ReplyQueue(key: "young", idle: .seconds(60)), ReplyQueue(key: "unknown", idle: nil),
        ]
        #expect(survey.rubbish(olderThan: QueueChecks.rubbishAge) == ["old"])
        #expect(QueueChecks.judge(survey)[0].state == .warn)
        #expect(QueueChecks.judge(survey)[0].advice?.contains("doctor --clean") == true)
        survey.replyQueues.removeFirst()
        #expect(QueueChecks.judge(survey)[0].state == .ok)
    }

    @Test("a key that is used between the look and the deletion stays")
    func discard() async throws {
        let server = try await QueueServer()
        _ = try await server.raw.send(RedisCommand("LPUSH", "a.reply.celery.pidbox", "x"))
        let survey = try await server.broker.survey(standings: [])
        #expect(survey.replyQueues.map(\.key) == ["a.reply.celery.pidbox"])
        #expect(
            try await server.broker.discard(["a.reply.celery.pidbox"], idle: .seconds(86_400)) == 0)
        #expect(
            try await server.broker.discard(["a.reply.celery.pidbox", "none"], idle: .zero) == 1)
    }

    @Test("a prefix with the signs of patterns in it means itself")
    func prefix() async throws {
        let server = try await QueueServer()
        var options = BrokerOptions(keyPrefix: "a*[b]?")
        options.redis.connectTimeout = .seconds(5)
        let broker = try RedisBroker(url: server.url, options: options, logger: .silent)
        _ = try await server.raw.pipeline([
            RedisCommand("LPUSH", "a*[b]?1.reply.celery.pidbox", "x"),
            RedisCommand("LPUSH", "axb2.reply.celery.pidbox", "x"),
        ])
        let survey = try await broker.survey(standings: [])
        #expect(survey.replyQueues.map(\.key) == ["a*[b]?1.reply.celery.pidbox"])
    }

    @Test("the limits of this process and of the kernel are judged")
    func host() {
        func limits(_ count: String) -> DoctorCheck.State {
            HostChecks.judge(
                limits: "Max cpu time  unlimited\nMax open files            \(count)     files\n",
                needing: FleetNeeds(Settings())
            ).state
        }
        #expect(limits("1024                 524288") == .ok)
        #expect(limits("128                  524288") == .fail)
        #expect(limits("unlimited            unlimited") == .ok)
        #expect(HostChecks.judge(limits: "", needing: FleetNeeds(Settings())).state == .warn)
        #expect(
            HostChecks.judge(hugePages: "[always] madvise never", overcommit: "1\n").state == .warn)
        #expect(
            HostChecks.judge(hugePages: "always [madvise] never", overcommit: "0\n").state == .warn)
        #expect(
            HostChecks.judge(hugePages: "always [madvise] never", overcommit: "1\n").state == .ok)
        #expect(HostChecks.judge(hugePages: nil, overcommit: nil).state == .ok)
    }

    @Test("connections to PostgreSQL are counted against what it gives")
    func database() {
        #expect(DatabaseChecks.judge(connections: 97, pool: 8, processes: 1).state == .ok)
        #expect(DatabaseChecks.judge(connections: 97, pool: 8, processes: 11).state == .warn)
        #expect(DatabaseChecks.judge(connections: 97, pool: 8, processes: 13).state == .fail)
        #expect(DatabaseChecks.judge(pool: 8, concurrency: 64).state == .ok)
        #expect(DatabaseChecks.judge(pool: 1, concurrency: 64).state == .warn)
        #expect(DatabaseChecks.judge(pool: 8, concurrency: 4).state == .warn)
    }
}
