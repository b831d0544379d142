import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("A worker")
struct WorkerServiceTests {
    @Test("runs every job once, with its payload, and stores each result")
    func everyJobOnce() async throws {
        let seen = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            seen.add(payload.number ?? -1)
            return try .done(payload.number)
        }
        try await fixture.broker.enqueue((0..<500).map { fixture.message($0) })
        try await fixture.run {
            try await eventually(within: .seconds(30)) { try await fixture.isIdle() }
        }
        #expect(seen.all.sorted() == Array(0..<500))
        #expect(try await fixture.status(of: 499) == "SUCCESS")
    }

    @Test("never runs more jobs at a time than its concurrency")
    func concurrency() async throws {
        let running = Log<Int>()
        let fixture = try await WorkerFixture(.with { $0.concurrency = 3 }) { _, _ in
            running.add(1)
            await Task.yield()
            running.add(-1)
            return .done
        }
        try await fixture.broker.enqueue((0..<100).map { fixture.message($0) })
        try await fixture.run {
            try await eventually(within: .seconds(30)) { try await fixture.isIdle() }
        }
        var now = 0
        let most = running.all.map { change -> Int in
            now += change
            return now
        }.max()
        #expect((1...3).contains(most ?? 0))
    }

    @Test("wakes for a job that comes while it is idle")
    func wakes() async throws {
        let seen = Log<Int>()
        let fixture = try await WorkerFixture(.with { $0.waitLimit = .seconds(60) }) { payload, _ in
            seen.add(payload.number ?? -1)
            return .done
        }
        try await fixture.run {
            try await eventually("the worker waits") {
                try await fixture.raw.send(RedisCommand("INFO", "clients")).string?
                    .contains("blocked_clients:4") ?? false
            }
            for priority in [9, 0, 4] {
                try await fixture.broker.enqueue([
                    fixture.message(priority) { $0.priority = Priority(priority) }
                ])
            }
            try await eventually { seen.all.count == 3 }
        }
        #expect(seen.all.sorted() == [0, 4, 9])
    }

    @Test("tries a failed job again, counting attempts, until it is dead with its history")
    func deadLetter() async throws {
        let attempts = Log<Int>()
        let fixture = try await WorkerFixture { _, context in
            attempts.add(context.attempt)
            throw RetryLater(after: .milliseconds(1), "no luck in attempt \(context.attempt)")
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run {
            try await eventually(within: .seconds(20)) {
                try await fixture.broker.buried(in: .dead, offset: 0, limit: 1).total == 1
            }
        }
        #expect(attempts.all == [1, 2, 3])
        let dead = try await fixture.broker.buried(in: .dead, offset: 0, limit: 1).items[0]
        #expect(dead.attempts == 3)
        #expect(dead.history.count == 2)
        #expect(dead.message == "no luck in attempt 3")
        #expect(try await fixture.status(of: 1) == "FAILURE")
    }

    @Test("a permanent failure is dead at once")
    func permanentFailure() async throws {
        let attempts = Log<Int>()
        let fixture = try await WorkerFixture { _, context in
            attempts.add(context.attempt)
            throw PermanentFailure("no such invoice")
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run {
            try await eventually {
                try await fixture.broker.buried(in: .dead, offset: 0, limit: 1).total == 1
            }
        }
        #expect(attempts.all == [1])
    }

    @Test("a snoozed job comes back later and burns no attempt")
    func snooze() async throws {
        let attempts = Log<Int>()
        let fixture = try await WorkerFixture { _, context in
            attempts.add(context.attempt)
            return attempts.all.count < 3 ? .snooze(until: context.time.now) : .done
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run { try await eventually { attempts.all.count == 3 } }
        #expect(attempts.all == [1, 1, 1])
    }

    @Test("an expired job is not run, and its caller is told so")
    func expired() async throws {
        let seen = Log<Int>()
        let fixture = try await WorkerFixture { _, _ in
            seen.add(1)
            return .done
        }
        try await fixture.broker.enqueue([
            fixture.message(1) { $0.expires = Date(timeIntervalSinceNow: -1) }
        ])
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "REVOKED" }
        }
        #expect(seen.all.isEmpty)
    }

    @Test("a message from Python with a future eta is put aside, not held")
    func eta() async throws {
        let started = Log<Date>()
        let fixture = try await WorkerFixture { _, _ in
            started.add(Date())
            return .done
        }
        let due = Date(timeIntervalSinceNow: 4)
        let message = fixture.message(1) { $0.eta = due }
        let bytes = message.encoded(origin: "python", deliveryTag: "tag")
        _ = try await fixture.raw.send(RedisCommand("LPUSH", "work", bytes))
        try await fixture.run {
            try await eventually("it is put aside") {
                try await fixture.broker.delayed() == 1
            }
            #expect(try await fixture.broker.inFlight() == 0)
            try await eventually { started.all.count == 1 }
        }
        #expect(started.all[0] >= due)
    }

    @Test("a job that outlives its time limit is cancelled and tried again")
    func timeLimit() async throws {
        let outcomes = Log<String>()
        let fixture = try await WorkerFixture { _, context in
            guard context.attempt == 1 else {
                outcomes.add("second")
                return .done
            }
            do { try await untilCancelled() } catch { outcomes.add("cancelled") }
            throw CancellationError()
        }
        try await fixture.broker.enqueue([
            fixture.message(1) { $0.softTimeLimit = .milliseconds(50) }
        ])
        try await fixture.run { try await eventually { outcomes.all.count == 2 } }
        #expect(outcomes.all == ["cancelled", "second"])
    }

    @Test("draining lets running jobs finish and gives back what was not begun")
    func drain() async throws {
        let begun = Log<Int>()
        let gate = Gate()
        let fixture = try await WorkerFixture(.with { $0.concurrency = 2 }) { payload, _ in
            begun.add(payload.number ?? -1)
            await gate.pass()
            return .done
        }
        try await fixture.broker.enqueue((0..<10).map { fixture.message($0) })
        try await fixture.run {
            try await eventually { begun.all.count == 2 }
            fixture.service.drain()
            try await eventually("nothing but the running jobs is held") {
                try await fixture.broker.inFlight() == 2
            }
            gate.open()
        }
        #expect(begun.all.count == 2)
        #expect(try await fixture.broker.waiting(in: WorkerFixture.queue).reduce(0, +) == 8)
        #expect(try await fixture.broker.inFlight() == 0)
    }

    @Test("cancelling puts running jobs back with the attempt refunded")
    func cancel() async throws {
        let begun = Log<Int>()
        let fixture = try await WorkerFixture { _, context in
            begun.add(context.attempt)
            try await untilCancelled()
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run {
            try await eventually { begun.all.count == 1 }
            fixture.service.cancel()
        }
        let waiting = try await fixture.broker.reserve(
            upTo: 1, for: WorkerID(host: "x", processID: 1, random: 1),
            from: [ListAddress(queue: WorkerFixture.queue, step: 0)])
        let message = try JobMessage(decoding: waiting[0].raw, limits: WireLimits())
        #expect(message.retries == 0)
    }

    @Test("a worker that stops while Redis is gone gives up settling when its lease is over")
    func stopsWithoutRedis() async throws {
        let begun = Log<Int>()
        let gate = Gate()
        let options = WorkerOptions.with { $0.settleLimit = .milliseconds(200) }
        let fixture = try await WorkerFixture(options) { _, _ in
            begun.add(1)
            await gate.pass()
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        try await fixture.run {
            try await eventually { begun.all == [1] }
            try await fixture.server.kill()
            gate.open()
        }
        #expect(fixture.service.totals["unsettled"] == 1)
    }

    @Test("Redis killed and restarted empty: the worker goes on with what comes then")
    func redisRestart() async throws {
        let seen = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            seen.add(payload.number ?? -1)
            return .done
        }
        try await fixture.run {
            try await fixture.broker.enqueue([fixture.message(1)])
            try await eventually { seen.all == [1] }
            try await fixture.server.restart()
            try await eventually(within: .seconds(20)) {
                do {
                    try await fixture.broker.enqueue([fixture.message(2)])
                    return true
                } catch { return false }
            }
            try await eventually(within: .seconds(20)) { seen.all.contains(2) }
        }
    }
}
