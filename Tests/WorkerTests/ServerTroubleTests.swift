import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("A worker whose Redis is in trouble", .timeLimit(.minutes(5)))
struct ServerTroubleTests {
    private let patience = Duration.seconds(60)

    /// Runs a worker in the middle of two jobs, makes trouble, lets the jobs end in it, waits until
    /// the trouble is noticed, ends it, and expects every job to be settled, each having run once.
    private func through(
        _ trouble: (WorkerFixture) async throws -> Void,
        until isNoticed: (WorkerFixture) async throws -> Bool,
        then relief: (WorkerFixture) async throws -> Void
    ) async throws {
        let begun = Log<Int>()
        let gate = Gate()
        let fixture = try await WorkerFixture { payload, _ in
            begun.add(payload.number ?? -1)
            await gate.pass()
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await eventually { begun.all.count == 2 }
            try await trouble(fixture)
            gate.open()
            try await eventually(within: patience, "the trouble") { try await isNoticed(fixture) }
            try await relief(fixture)
            try await eventually(within: patience, "both settled") {
                try await fixture.isIdle()
            }
            try await fixture.broker.enqueue([fixture.message(3)])
            try await eventually(within: patience, "work as before") {
                try await fixture.status(of: 3) == "SUCCESS"
            }
        }
        #expect(begun.all.sorted() == [1, 2, 3])
        for number in 1...3 { #expect(try await fixture.status(of: number) == "SUCCESS") }
        #expect(fixture.service.totals["succeeded"] == 3)
    }

    @Test("scripts flushed in the middle of everything are noticed by nobody")
    func scriptsFlushed() async throws {
        try await through { fixture in
            _ = try await fixture.raw.send(RedisCommand("SCRIPT", "FLUSH"))
        } until: { _ in
            true
        } then: { fixture in
            _ = try await fixture.raw.send(RedisCommand("SCRIPT", "FLUSH"))
        }
    }

    /// The order is that in which one could hold up the other; and neither is held up by itself.
    @Test(
        "out of memory: what makes room goes on, what needs room is settled when there is some",
        arguments: [[2, 1], [1, 2]])
    func outOfMemory(order: [Int]) async throws {
        let begun = Log<Int>()
        let gates = [1: Gate(), 2: Gate()]
        let fixture = try await WorkerFixture { payload, context in
            let number = payload.number ?? -1
            begun.add(number)
            await gates[number]?.pass()
            guard number == 1 || context.attempt > 1 else {
                throw RetryLater(after: .milliseconds(1), "again")
            }
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await eventually(within: patience, "both begun") { begun.all.count == 2 }
            _ = try await fixture.raw.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            for number in order {
                gates[number]?.open()
                try await eventually(within: patience, "the end of job \(number)") {
                    if number == 1 { return try await fixture.broker.inFlight() == 1 }
                    let info = try await fixture.raw.send(RedisCommand("INFO", "commandstats"))
                    // The first write of a retry; nothing else begins with it.
                    return info.string?.contains(/cmdstat_hsetnx:.*rejected_calls=[1-9]/) == true
                }
            }
            #expect(try await fixture.broker.inFlight() == 1)
            await #expect(throws: BrokerError.self) {
                try await fixture.broker.enqueue([fixture.message(3)])
            }
            _ = try await fixture.raw.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            try await eventually(within: patience, "the end of all work") {
                try await fixture.isIdle()
            }
        }
        #expect(begun.all.sorted() == [1, 2, 2])
        for number in 1...2 { #expect(try await fixture.status(of: number) == "SUCCESS") }
        #expect(fixture.service.totals == ["succeeded": 2, "retry": 1])
    }

    @Test("out of memory for longer than a lease: the worker goes on and empties the queue")
    func outOfMemoryForLong() async throws {
        let gate = Gate()
        var options = WorkerOptions.with { $0.concurrency = 1 }
        options.leaseRenewal = .milliseconds(100)
        let fixture = try await WorkerFixture(options) { _, _ in
            await gate.pass()
            return .done
        }
        let clock = ContinuousClock()
        try await fixture.broker.enqueue((1...5).map { fixture.message($0) })
        try await fixture.run {
            try await eventually(within: patience, "one taken") { fixture.service.inFlight == 1 }
            _ = try await fixture.raw.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            let full = clock.now
            try await eventually(within: patience, "longer than a lease") {
                clock.now - full > options.lease + .seconds(1)
            }
            #expect(fixture.service.status.leaseAgeSeconds < options.lease.inSeconds)
            gate.open()
            try await eventually(within: patience, "an empty queue") {
                try await fixture.isIdle()
            }
        }
        #expect(fixture.service.totals == ["succeeded": 5])
    }

    @Test("out of memory, and more is refused than may wait: jobs are held up until there is room")
    func crowded() async throws {
        let begun = Log<Int>()
        let gate = Gate()
        let options = WorkerOptions.with {
            $0.concurrency = 2
            $0.maximumUnsettled = 1
        }
        let fixture = try await WorkerFixture(options) { payload, context in
            begun.add(payload.number ?? -1)
            await gate.pass()
            guard context.attempt > 1 else { throw RetryLater(after: .milliseconds(1), "again") }
            return .done
        }
        try await fixture.broker.enqueue((1...6).map { fixture.message($0) })
        try await fixture.run {
            try await eventually(within: patience, "both begun") { begun.all.count == 2 }
            _ = try await fixture.raw.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            gate.open()
            try await eventually(within: patience, "some repeats") {
                let info = try await fixture.raw.send(RedisCommand("INFO", "commandstats"))
                return info.string?.contains(/cmdstat_hsetnx:.*rejected_calls=([6-9]|\d\d)/) == true
            }
            #expect(begun.all.count <= options.maximumUnsettled + options.concurrency)
            _ = try await fixture.raw.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            try await eventually(within: patience, "the end of all work") {
                try await fixture.isIdle()
            }
        }
        #expect(fixture.service.totals == ["succeeded": 6, "retry": 6])
    }

    @Test("a master made a replica: outcomes are kept and settled when it is a master again")
    func readOnly() async throws {
        try await through { fixture in
            _ = try await fixture.raw.send(RedisCommand("REPLICAOF", "127.0.0.1", "1"))
        } until: { fixture in
            let info = try await fixture.raw.send(RedisCommand("INFO", "errorstats")).string
            let inFlight = try await fixture.broker.inFlight()
            return info?.contains("errorstat_READONLY") == true && inFlight == 2
        } then: { fixture in
            _ = try await fixture.raw.send(RedisCommand("REPLICAOF", "NO", "ONE"))
        }
    }

    @Test("a paused server: outcomes are kept and settled when it goes on")
    func paused() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        try await through { fixture in
            fixture.server.pause()
        } until: { _ in
            // Longer than a renewal waits for its answer, so that the connection is given up.
            clock.now - start > .seconds(8)
        } then: { fixture in
            fixture.server.resume()
        }
    }

    @Test(
        "a network that swallows everything: outcomes are kept and settled when it is back",
        arguments: [TCPProxy.Loss.dropped, .held])
    func blackHole(loss: TCPProxy.Loss) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let proxies = Log<TCPProxy>()
        let begun = Log<Int>()
        let gate = Gate()
        let fixture = try await WorkerFixture(
            throughProxy: { proxies.add($0) },
            body: { payload, _ in
                begun.add(payload.number ?? -1)
                await gate.pass()
                return .done
            })
        let direct = try RedisBroker(
            url: fixture.server.url, options: BrokerOptions(), logger: .silent)
        try await direct.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await eventually { begun.all.count == 2 }
            try await proxies.all[0].set(.blackHole(loss))
            gate.open()
            try await direct.enqueue([fixture.message(3)])
            try await eventually(within: patience) { clock.now - start > .seconds(8) }
            try await proxies.all[0].set(.pass)
            let returned = clock.now
            try await eventually(within: patience, "all settled") {
                let waiting = try await direct.waiting(in: WorkerFixture.queue).reduce(0, +)
                let inFlight = try await direct.inFlight()
                return waiting + inFlight == 0
            }
            print("settled \(clock.now - returned) after the network came back (\(loss))")
            #expect(clock.now - returned < .seconds(15))
        }
        #expect(begun.all.sorted() == [1, 2, 3])
        await direct.close()
    }
}
