import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Settling")
struct SettleTests {
    @Test("an acknowledged message is gone, its result stored, published and due to expire")
    func acknowledge() async throws {
        let fixture = try await BrokerFixture { $0.resultExpires = .seconds(100) }
        try await fixture.enqueue(1)
        let delivery = try await fixture.reserve(1)[0]
        let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        let record = ResultRecord.success(.string("ok"), of: message, at: Date())
        let answers = try await fixture.broker.settle([
            Settling(delivery: delivery, transition: .acknowledge, result: record)
        ])
        #expect(answers == [.settled])
        #expect(try await fixture.census() == [0, 0, 0, 0, 0])
        let stored = try await fixture.raw.send(RedisCommand("GET", "celery-task-meta-m1"))
        #expect(stored.bytes == record.encoded())
        let ttl = try await fixture.raw.send(RedisCommand("TTL", "celery-task-meta-m1"))
        #expect((1...100).contains(ttl.int ?? -2))
    }

    @Test("settling twice is answered with a lost lease, and changes nothing")
    func twice() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(1)
        let delivery = try await fixture.reserve(1)[0]
        #expect(try await fixture.settle(delivery, .acknowledge) == .settled)
        for transition: Transition in [
            .acknowledge, .release, .retry(message: delivery.raw, at: nil),
            .bury(in: .dead, fixture.buried(delivery)),
        ] {
            #expect(try await fixture.settle(delivery, transition) == .leaseLost)
        }
        #expect(try await fixture.census() == [0, 0, 0, 0, 0])
    }

    @Test("a released batch is reserved again in the same order, ahead of others")
    func release() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(5)
        let deliveries = try await fixture.reserve(3)
        let answers = try await fixture.broker.settle(
            deliveries.map { Settling(delivery: $0, transition: .release) })
        #expect(answers == [.settled, .settled, .settled])
        #expect(try fixture.ids(try await fixture.reserve(5)) == ["m1", "m2", "m3", "m4", "m5"])
    }

    @Test("a retry waits in the delayed set until its time, then goes to its own list")
    func retryLater() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(1, priority: 6)
        let delivery = try await fixture.reserve(1)[0]
        let soon = Date(timeIntervalSinceNow: 0.5)
        #expect(
            try await fixture.settle(delivery, .retry(message: delivery.raw, at: soon)) == .settled)
        try await eventually { try await fixture.broker.promoteDue(limit: 10).count == 1 }
        #expect(Date() >= soon)
        #expect(try await fixture.broker.waiting(in: BrokerFixture.mail) == [0, 0, 1, 0])
        #expect(try await fixture.reserve(1)[0].raw == delivery.raw)
    }

    @Test("a promoter is told how long the next message has to wait")
    func nextDue() async throws {
        let fixture = try await BrokerFixture()
        #expect(try await fixture.broker.promoteDue(limit: 10).untilNext == nil)
        try await fixture.broker.enqueue([
            fixture.message("later", eta: Date(timeIntervalSinceNow: 600))
        ])
        let promotion = try await fixture.broker.promoteDue(limit: 10)
        #expect(promotion.count == 0)
        #expect((.seconds(500) ... .seconds(601)).contains(promotion.untilNext ?? .zero))
        #expect(try await fixture.census() == [0, 0, 1, 0, 0])
    }

    @Test("buried messages can be listed with their reason and original bytes")
    func bury() async throws {
        let fixture = try await BrokerFixture()
        let garbage = Array("no json \u{1}".utf8)
        _ = try await fixture.raw.send(RedisCommand("LPUSH", "mail", garbage))
        let delivery = try await fixture.reserve(1)[0]
        let record = fixture.buried(delivery)
        #expect(try await fixture.settle(delivery, .bury(in: .quarantine, record)) == .settled)
        let page = try await fixture.broker.buried(in: .quarantine, offset: 0, limit: 10)
        #expect(page.items == [record])
        #expect(page.items.first?.original == Data(garbage))
        #expect(
            try await fixture.broker.buried(in: .quarantine, entry: record.entry) == record)
        #expect(try await fixture.census() == [0, 0, 0, 0, 1])
    }

    @Test("a buried message goes back to its own list once, with its attempts counted from none")
    func replay() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(1, priority: 6)
        let first = try await fixture.reserve(1)[0]
        let message = try JobMessage(decoding: first.raw, limits: WireLimits())
        let failed = try message.retried(
            retries: 3, eta: Date(), adding: FailureReport(code: "x", type: "X", message: "x"),
            at: Date())
        _ = try await fixture.settle(first, .retry(message: failed, at: nil))
        let last = try await fixture.reserve(1)[0]
        let record = fixture.buried(last)
        _ = try await fixture.settle(last, .bury(in: .dead, record))
        let answers = [
            try await fixture.broker.replay(record, from: .dead),
            try await fixture.broker.replay(record, from: .dead),
        ]
        #expect(answers == [true, false])
        #expect(try await fixture.broker.waiting(in: BrokerFixture.mail) == [0, 0, 1, 0])
        #expect(try await fixture.census() == [1, 0, 0, 0, 0])
        let again = try JobMessage(
            decoding: try await fixture.reserve(1)[0].raw, limits: WireLimits())
        #expect(again.retries == 0)
        #expect(again.eta == nil)
        #expect(again.errorHistory().count == 1)
    }

    @Test("beyond its limit a grave drops the oldest, and counts them")
    func graveLimit() async throws {
        let fixture = try await BrokerFixture { $0.maximumDead = 3 }
        try await fixture.enqueue(5)
        for delivery in try await fixture.reserve(5) {
            _ = try await fixture.settle(delivery, .bury(in: .dead, fixture.buried(delivery)))
        }
        #expect(try await fixture.broker.buried(in: .dead, offset: 0, limit: 9).total == 3)
        let dropped = try await fixture.raw.send(
            RedisCommand("HGET", "backhaul:counters", "dead.dropped"))
        #expect(dropped.int == 2)
    }

    @Test("a mixed batch is answered in the order of its questions")
    func mixed() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(6)
        let all = try await fixture.reserve(6)
        _ = try await fixture.settle(all[2], .acknowledge)
        let answers = try await fixture.broker.settle([
            Settling(delivery: all[0], transition: .release),
            Settling(delivery: all[1], transition: .acknowledge),
            Settling(delivery: all[2], transition: .acknowledge),
            Settling(delivery: all[3], transition: .bury(in: .dead, fixture.buried(all[3]))),
            Settling(delivery: all[4], transition: .retry(message: all[4].raw, at: nil)),
        ])
        #expect(answers == [.settled, .settled, .leaseLost, .settled, .settled])
        #expect(try await fixture.census() == [2, 1, 0, 1, 0])
    }

    @Test("in a batch of successes the lost one alone is lost, and stores nothing")
    func oneOfManyLost() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(5)
        let all = try await fixture.reserve(5)
        _ = try await fixture.settle(all[2], .acknowledge)
        let messages = try all.map { try JobMessage(decoding: $0.raw, limits: WireLimits()) }
        let answers = try await fixture.broker.settle(
            zip(all, messages).map { delivery, message in
                Settling(
                    delivery: delivery, transition: .acknowledge,
                    result: .success("done", of: message, at: .now))
            })
        #expect(answers == [.settled, .settled, .leaseLost, .settled, .settled])
        #expect(try await fixture.census() == [0, 0, 0, 0, 0])
        for (position, message) in messages.enumerated() {
            let stored = try await fixture.raw.send(
                RedisCommand("EXISTS", "celery-task-meta-\(message.id)"))
            #expect(stored.int == (position == 2 ? 0 : 1))
        }
    }

    @Test("what the server refuses to settle stays in flight and can be settled later")
    func refused() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(2)
        let all = try await fixture.reserve(2)
        _ = try await fixture.raw.send(RedisCommand("SET", "backhaul:dead:entries", "no hash"))
        let batch = [
            Settling(delivery: all[0], transition: .bury(in: .dead, fixture.buried(all[0]))),
            Settling(delivery: all[1], transition: .acknowledge),
        ]
        #expect(try await fixture.broker.settle(batch) == [.refused, .settled])
        _ = try await fixture.raw.send(RedisCommand("DEL", "backhaul:dead:entries"))
        #expect(try await fixture.broker.settle([batch[0]]) == [.settled])
    }

    @Test("SUCCESS is final: a later failure of a repeat does not overwrite it")
    func successIsFinal() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(1)
        let delivery = try await fixture.reserve(1)[0]
        let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        let success = ResultRecord.success(.null, of: message, at: Date())
        _ = try await fixture.raw.send(
            RedisCommand("SET", "celery-task-meta-m1", success.encoded()))
        let report = FailureReport(code: "x", type: "X", message: "x")
        _ = try await fixture.broker.settle([
            Settling(
                delivery: delivery, transition: .bury(in: .dead, fixture.buried(delivery)),
                result: .failure(report, of: message, at: Date()))
        ])
        let stored = try await fixture.raw.send(RedisCommand("GET", "celery-task-meta-m1"))
        #expect(stored.bytes == success.encoded())
    }

    @Test("after SCRIPT FLUSH every call works as before")
    func scriptsFlushed() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(2)
        let first = try await fixture.reserve(1)[0]
        _ = try await fixture.raw.send(RedisCommand("SCRIPT", "FLUSH"))
        #expect(try await fixture.settle(first, .acknowledge) == .settled)
        _ = try await fixture.raw.send(RedisCommand("SCRIPT", "FLUSH"))
        #expect(try await fixture.reserve(1).count == 1)
    }
}
