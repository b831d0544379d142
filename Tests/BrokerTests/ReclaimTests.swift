import Foundation
import JobModel
import Mailbox
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Reclaiming")
struct ReclaimTests {
    private let dead = WorkerID(host: "gone", processID: 2, random: 8)

    @Test("what a dead worker held is put back in order, marked as delivered before")
    func deadWorker() async throws {
        let fixture = try await BrokerFixture { $0.lease = .milliseconds(50) }
        try await fixture.enqueue(3)
        let renewal = fixture.broker.keepLease(
            of: fixture.presence(of: dead), every: .milliseconds(20)
        ) {
            []
        } renewed: { _ in
        }
        try await eventually("the worker is listed") {
            try await fixture.raw.send(RedisCommand("ZCARD", "backhaul:workers")).int == 1
        }
        let held = try await fixture.reserve(3, as: dead)
        renewal.cancel()
        try await eventually("the lease runs out") {
            try await fixture.broker.reclaimExpired(limit: 2).workers == [dead]
        }
        #expect(try await fixture.census() == [3, 0, 0, 0, 0])
        let again = try await fixture.reserve(3)
        #expect(try fixture.ids(again) == ["m1", "m2", "m3"])
        guard case .object(let envelope) = try JSONValue(parsing: again[0].raw),
            case .object(let headers)? = envelope["headers"]
        else {
            Issue.record("the message lost its shape")
            return
        }
        #expect(headers["redelivered"] == .bool(true))
        #expect(try await fixture.settle(held[0], .acknowledge) == .leaseLost)
    }

    @Test("a worker that renews its lease keeps its messages")
    func liveWorker() async throws {
        let fixture = try await BrokerFixture { $0.lease = .seconds(60) }
        try await fixture.enqueue(1)
        let renewal = fixture.broker.keepLease(
            of: fixture.presence(of: dead), every: .milliseconds(20)
        ) {
            []
        } renewed: { _ in
        }
        try await eventually {
            try await fixture.raw.send(RedisCommand("ZCARD", "backhaul:workers")).int == 1
        }
        let held = try await fixture.reserve(1, as: dead)
        #expect(try await fixture.broker.reclaimExpired(limit: 10) == Reclamation())
        #expect(try await fixture.settle(held[0], .acknowledge) == .settled)
        renewal.cancel()
    }

    @Test("a message in a dead worker's inbox goes back to the end that is read next")
    func inbox() async throws {
        let fixture = try await BrokerFixture { $0.lease = .milliseconds(1) }
        let renewal = fixture.broker.keepLease(
            of: fixture.presence(of: dead), every: .seconds(60)
        ) {
            []
        } renewed: { _ in
        }
        try await eventually {
            try await fixture.raw.send(RedisCommand("ZCARD", "backhaul:workers")).int == 1
        }
        renewal.cancel()
        try await fixture.enqueue(2)
        let inbox = fixture.broker.keys.inbox(of: dead, for: "mail")
        _ = try await fixture.raw.send(RedisCommand("LMOVE", "mail", inbox, "RIGHT", "LEFT"))
        try await eventually {
            try await fixture.broker.reclaimExpired(limit: 10).workers == [dead]
        }
        #expect(try fixture.ids(try await fixture.reserve(2)) == ["m1", "m2"])
    }

    @Test("a Python worker's message is put back after the visibility timeout, not before")
    func pythonWorker() async throws {
        let fixture = try await BrokerFixture { $0.visibilityTimeout = .seconds(100) }
        try await fixture.enqueue(2, priority: 9)
        for (tag, age) in [("old-tag", 101), ("young-tag", 50)] {
            let popped = try await fixture.raw.send(
                RedisCommand("RPOP", "mail\u{06}\u{16}9"))
            let now = Int(Date().timeIntervalSince1970)
            _ = try await fixture.raw.send(
                RedisCommand("ZADD", "unacked_index", now - age, tag))
            let record = Array("[".utf8) + (popped.bytes ?? []) + Array(", \"\", \"mail\"]".utf8)
            _ = try await fixture.raw.send(RedisCommand("HSET", "unacked", tag, record))
        }
        #expect(try await fixture.broker.reclaimExpired(limit: 10).count == 1)
        #expect(try await fixture.broker.waiting(in: BrokerFixture.mail) == [0, 0, 0, 1])
        #expect(try await fixture.broker.inFlight() == 1)
    }

    @Test("bytes that nobody can read are put back too")
    func garbage() async throws {
        let fixture = try await BrokerFixture { $0.lease = .milliseconds(1) }
        let garbage = Array("{\"broken\": ,\"\",\"".utf8)
        _ = try await fixture.raw.send(RedisCommand("LPUSH", "mail", garbage))
        let renewal = fixture.broker.keepLease(
            of: fixture.presence(of: dead), every: .seconds(60)
        ) {
            []
        } renewed: { _ in
        }
        try await eventually {
            try await fixture.raw.send(RedisCommand("ZCARD", "backhaul:workers")).int == 1
        }
        renewal.cancel()
        _ = try await fixture.reserve(1, as: dead)
        try await eventually { try await fixture.broker.reclaimExpired(limit: 10).count == 1 }
        #expect(try await fixture.reserve(1).map(\.raw) == [garbage])
    }

    @Test("renewing re-scores what is held, so a Python worker never takes a live job")
    func rescore() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(1)
        let tag = try await fixture.reserve(1)[0].lease.tag
        _ = try await fixture.raw.send(RedisCommand("ZADD", "unacked_index", 1000, tag))
        let renewal = fixture.broker.keepLease(
            of: fixture.presence(of: fixture.worker), every: .milliseconds(20)
        ) {
            [tag, "never-held-1"]
        } renewed: { _ in
        }
        try await eventually {
            let score = try await fixture.raw.send(RedisCommand("ZSCORE", "unacked_index", tag))
            return (score.int ?? 0) > 1000
        }
        renewal.cancel()
        #expect(try await fixture.raw.send(RedisCommand("ZCARD", "unacked_index")).int == 1)
    }

    @Test("a server that is out of memory renews leases, and lists a new worker")
    func renewOutOfMemory() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(1)
        _ = try await fixture.raw.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
        let newcomer = WorkerID(host: "test", processID: 2, random: 8)
        let tag = try await fixture.reserve(1, as: newcomer)[0].lease.tag
        _ = try await fixture.raw.send(RedisCommand("DEL", "backhaul:workers"))
        let answers = Locked([[String]]())
        let renewal = fixture.broker.keepLease(
            of: fixture.presence(of: newcomer), every: .milliseconds(20)
        ) {
            [tag]
        } renewed: { gone in
            answers.withLock { $0.append(gone) }
        }
        try await eventually(within: .seconds(60)) { answers.withLock { $0.count } >= 3 }
        renewal.cancel()
        #expect(answers.withLock { $0.allSatisfy(\.isEmpty) })
        let deadline = try await fixture.raw.send(
            RedisCommand("ZSCORE", "backhaul:workers", newcomer.text))
        #expect((deadline.int ?? 0) > 0)
    }

    @Test("what a reserve took whose answer was lost is put back by its own worker")
    func lostAnswer() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(3)
        let call = ReserveCall(
            worker: fixture.worker, sequence: 7, count: 64,
            sources: [("mail", ListAddress(queue: BrokerFixture.mail, step: 0))])
        _ = try await fixture.raw.run(call.scriptCall(fixture.broker))
        #expect(try await fixture.census() == [0, 3, 0, 0, 0])
        let lost = RedisError(.connectionLost, "cut", mayHaveBeenExecuted: true)
        #expect(fixture.broker.failure(of: call, lost).code == .unavailable)
        try await eventually {
            try await fixture.broker.reclaimExpired(limit: 10).count == 3
        }
        #expect(try fixture.ids(try await fixture.reserve(3)) == ["m1", "m2", "m3"])
    }

    @Test("after an outage the living renew their lease before a reaper acts")
    func grace() async throws {
        let fixture = try await BrokerFixture {
            $0.lease = .milliseconds(1)
            $0.reclaimGrace = .seconds(3600)
        }
        let renewal = fixture.broker.keepLease(
            of: fixture.presence(of: dead), every: .seconds(60)
        ) {
            []
        } renewed: { _ in
        }
        try await eventually {
            try await fixture.raw.send(RedisCommand("ZCARD", "backhaul:workers")).int == 1
        }
        renewal.cancel()
        try await fixture.enqueue(1)
        _ = try await fixture.reserve(1, as: dead)
        for _ in 0..<20 {
            #expect(try await fixture.broker.reclaimExpired(limit: 10) == Reclamation())
        }
    }

    @Test("a worker that leaves puts back whatever stands under its name")
    func leave() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(2)
        _ = try await fixture.reserve(2)
        try await fixture.broker.leave(fixture.worker)
        #expect(try await fixture.census() == [2, 0, 0, 0, 0])
    }

    @Test("what a dead worker's wait takes after it was struck off is found, too")
    func waitOutlivesWorker() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.enqueue(1)
        _ = try await fixture.reserve(1, as: dead)
        let lists = fixture.lists(of: [BrokerFixture.mail])
        let waiters = fixture.broker.waiters(for: dead, on: lists)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for waiter in waiters {
                group.addTask { try await waiter.wait(upTo: .seconds(30)).count }
            }
            try await eventually("four waits at the server") {
                try await fixture.raw.send(RedisCommand("INFO", "clients")).string?
                    .contains("blocked_clients:4") ?? false
            }
            // The message goes back, and straight to the dead worker's wait.
            let reclaimed = try await fixture.broker.reportDeath(of: dead)
            #expect(reclaimed.count == 2)
            #expect(try await fixture.census() == [1, 0, 0, 0, 0])
            for waiter in waiters { await waiter.interrupt() }
            #expect(try await group.reduce(0, +) == 1)
        }
        for waiter in waiters { await waiter.close() }
    }
}
