import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Revocations and answers in Redis")
struct PidboxTests {
    private func status(_ fixture: BrokerFixture, _ id: String) async throws -> String? {
        let reply = try await fixture.raw.send(RedisCommand("GET", "celery-task-meta-\(id)"))
        return try reply.bytes.map { try JSONValue(parsing: $0) }?["status"]?.stringValue
    }

    @Test(
        "a revocation is told to Python at once, but never over the end of a job",
        arguments: [
            (nil, "REVOKED"), ("RECEIVED", "REVOKED"), ("RETRY", "REVOKED"),
            ("REJECTED", "REVOKED"), ("SUCCESS", "SUCCESS"), ("FAILURE", "FAILURE"),
            ("STARTED", "STARTED"), ("REVOKED", "REVOKED"),
        ] as [(String?, String)])
    func results(old: String?, new: String) async throws {
        let fixture = try await BrokerFixture()
        if let old {
            _ = try await fixture.raw.send(
                RedisCommand("SET", "celery-task-meta-j", #"{"status": "\#(old)", "result": 1}"#))
        }
        try await fixture.broker.revoke(
            [JobID("j")], terminating: false, storing: [JobID("j")])
        #expect(try await status(fixture, "j") == new)
        if old == nil {
            let life = try await fixture.raw.send(RedisCommand("TTL", "celery-task-meta-j")).int
            #expect(life ?? -1 > 0)
        }
    }

    @Test("what is only revoked is told apart from what is to end; both are read, old and new")
    func kinds() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.broker.revoke([JobID("a")], terminating: false, storing: [])
        try await fixture.broker.revoke([JobID("b")], terminating: true, storing: [])
        let stamp = RevokedStamp(name: "tenant", value: "\"7\",\u{7}")
        try await fixture.broker.revoke([stamp])
        let all = try await fixture.broker.revocations(since: nil)
        #expect(all.revoked == [JobID("a"), JobID("b")])
        #expect(all.ended == [JobID("b")])
        #expect(all.stamps == [stamp])
        let later = try await fixture.broker.revocations(
            since: all.next.addingTimeInterval(3600))
        #expect(later.revoked.isEmpty && later.ended.isEmpty && later.stamps.isEmpty)
        #expect(try await fixture.length("celery-task-meta-a") == 0)
    }

    @Test("revocations have a limit and an end")
    func bounded() async throws {
        let fixture = try await BrokerFixture { $0.maximumCancelled = 5 }
        try await fixture.broker.revoke(
            (1...20).map { JobID("j\($0)") }, terminating: false, storing: [])
        #expect(try await fixture.broker.revocations(since: nil).revoked.count == 5)
        let life = try await fixture.raw.send(RedisCommand("TTL", "backhaul:revoked")).int ?? -1
        #expect(life > 0)
    }

    @Test("an answer goes to the bound queue under the prefix, keeps a time that the client set")
    func reply() async throws {
        let fixture = try await BrokerFixture { $0.keyPrefix = "pfx:" }
        let separator = RedisKeys.prioritySeparator
        let queue = "k.reply.celery.pidbox"
        let reply = ControlReply(
            ["ok": "pong"], by: "n@h",
            to: .init(exchange: "reply.celery.pidbox", routingKey: "k"), ticket: "t", clock: 1)
        #expect(try await !fixture.broker.send(reply))
        #expect(try await fixture.raw.send(RedisCommand("DBSIZE")).int == 0)
        _ = try await fixture.raw.send(
            RedisCommand(
                "SADD", "pfx:_kombu.binding.reply.celery.pidbox",
                "k\(separator)\(separator)\(queue)",
                "other\(separator)\(separator)other.reply.celery.pidbox", "nonsense"))
        #expect(try await fixture.broker.send(reply))
        #expect(try await fixture.length("pfx:\(queue)") == 1)
        #expect(try await fixture.length("pfx:other.reply.celery.pidbox") == 0)
        #expect(try await fixture.raw.send(RedisCommand("TTL", "pfx:\(queue)")).int == 60)
        _ = try await fixture.raw.send(RedisCommand("EXPIRE", "pfx:\(queue)", 10))
        #expect(try await fixture.broker.send(reply))
        #expect(try await fixture.raw.send(RedisCommand("TTL", "pfx:\(queue)")).int ?? 99 <= 10)
    }

    @Test("commands are heard on the channel under the prefix, and on no other")
    func inbox() async throws {
        let fixture = try await BrokerFixture { $0.keyPrefix = "p*x:" }
        let inbox = fixture.broker.controlInbox()
        for channel in ["p*x:/0.celery.pidbox", "pyx:/0.celery.pidbox", "p*x:/1.celery.pidbox"] {
            try await eventually("the publication") {
                let heard = try await fixture.raw.send(RedisCommand("PUBLISH", channel, channel))
                return heard.int == (channel == "p*x:/0.celery.pidbox" ? 1 : 0)
            }
        }
        #expect(await inbox.next() == Array("p*x:/0.celery.pidbox".utf8))
        await inbox.close()
        #expect(await inbox.next() == nil)
    }

    @Test("what waits for its time is shown in order, with its queue")
    func delayed() async throws {
        let fixture = try await BrokerFixture()
        let soon = Date(timeIntervalSinceNow: 1000)
        try await fixture.broker.enqueue([
            fixture.message("later", priority: 5, eta: soon + 60),
            fixture.message("soon", eta: soon),
        ])
        let messages = try await fixture.broker.delayedMessages(limit: 10)
        let ids = try messages.map {
            try JobMessage(decoding: $0.raw, limits: WireLimits()).id.text
        }
        #expect(ids == ["soon", "later"])
        #expect(messages.map(\.queue) == ["mail", "mail"])
        #expect(abs(messages[0].dueAt.timeIntervalSince(soon)) < 0.01)
        #expect(try await fixture.broker.delayedMessages(limit: 1).count == 1)
    }
}
