import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("The book of ticks")
struct TickBookTests {
    @Test("of twenty schedulers one records a tick, and the others do nothing")
    func once() async throws {
        let scene = try await TickScene()
        for round in 1...5 {
            let answers = try await withThrowingTaskGroup(of: TickOutcome.self) { group in
                for _ in 0..<20 { group.addTask { try await scene.enqueue(round) } }
                return try await group.reduce(into: [TickOutcome]()) { $0.append($1) }
            }
            #expect(answers.count { $0 == .enqueued } == 1)
            #expect(answers.count { $0 == .superseded } == 19)
        }
        #expect(try await scene.queued() == ["t1", "t2", "t3", "t4", "t5"])
        #expect(try await scene.log().count == 5)
    }

    @Test("a decision on another newest tick decides nothing, nor does one that goes back")
    func stale() async throws {
        let scene = try await TickScene()
        #expect(try await scene.enqueue(3, after: 0) == .enqueued)
        #expect(try await scene.enqueue(4, after: 0) == .superseded)
        #expect(try await scene.enqueue(4, after: 2) == .superseded)
        #expect(try await scene.enqueue(3, after: 3) == .superseded)
        #expect(try await scene.enqueue(2, after: 3) == .superseded)
        #expect(try await scene.pass(4, after: 2, .misfire) == .superseded)
        #expect(
            try await scene.broker.newestTicks(of: [TickScene.entry]) == ["sweep": scene.due(3)])
        #expect(try await scene.log() == ["enqueued 3 t3"])
        let unknown = TickRecord(
            entry: "unknown", dueAt: scene.due(1), previous: scene.due(0),
            action: .enqueue(scene.message(1), overlap: .allow, staleAfter: .zero))
        #expect(try await scene.broker.record(unknown, at: scene.due(1)) == .superseded)
    }

    @Test("any due time and any name is found again as it was written, to the millisecond")
    func roundTrip() async throws {
        let scene = try await TickScene()
        let names = [
            "plain", "two words", "line\nfeed", "{\"a\": 1}", "\u{0}\u{1}", "größe 🛰",
            String(repeating: "n", count: 200), "%d %s", "*",
        ]
        var random = RepeatableRandom(seed: 20_261_129)
        var expected: [String: Date] = [:]
        for name in names {
            var newest = Date(
                millisecondsSince1970: Int.random(in: 0...4_000_000_000_000, using: &random))
            try await scene.broker.begin([name: newest])
            for number in 1...20 {
                let found = try await scene.broker.newestTicks(of: [name])[name]
                #expect(found?.nearestMillisecond == newest.nearestMillisecond)
                let due = newest.addingTimeInterval(
                    Double(Int.random(in: 1...999_999, using: &random)) / 1000)
                let tick = TickRecord(
                    entry: name, dueAt: due, previous: found ?? .distantPast,
                    action: .enqueue(
                        scene.message(number, of: name), overlap: .queueOne,
                        staleAfter: .seconds(86_400)))
                #expect(
                    try await scene.broker.record(tick, at: due)
                        == (number == 1 ? .enqueued : .waiting), "\(name) \(due)")
                newest = due
            }
            expected[name] = Date(millisecondsSince1970: Int(newest.nearestMillisecond))
        }
        #expect(try await scene.broker.newestTicks(of: names + ["none"]) == expected)
        let last = try await scene.broker.newestLog(limit: names.count * 40)
        #expect(Set(last.map(\.entry)) == Set(names))
    }

    @Test("beginning never moves an entry that has ticks, however many begin")
    func begin() async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1)
        let many = Dictionary(
            uniqueKeysWithValues: (0..<2500).map { ("entry \($0)", scene.due($0)) })
        try await scene.broker.begin(many)
        try await scene.broker.begin(many.mapValues { $0.addingTimeInterval(5) })
        try await scene.broker.begin([TickScene.entry: scene.due(9)])
        let found = try await scene.broker.newestTicks(of: Array(many.keys) + [TickScene.entry])
        #expect(found.count == 2501)
        #expect(found[TickScene.entry] == scene.due(1))
        #expect(found["entry 2499"] == scene.due(2499))
    }

    @Test("what is passed over moves the newest tick on, and says why")
    func pass() async throws {
        let scene = try await TickScene()
        for (index, reason) in TickPass.allCases.enumerated() {
            #expect(try await scene.pass(index + 1, reason) == .passed)
        }
        #expect(try await scene.enqueue(9, after: 3, missed: 5) == .enqueued)
        let items = try await scene.broker.log(after: nil, limit: 10)
        #expect(
            items.map(\.event) == [
                .passed(.misfire), .passed(.holiday), .passed(.paused), .enqueued,
            ])
        #expect(items.map(\.missed) == [0, 0, 0, 5])
        #expect(items.map(\.job) == [nil, nil, nil, JobID("t9")])
        #expect(items[3].at == scene.due(9))
        #expect(try await scene.queued() == ["t9"])
    }

    @Test("a job that is triggered runs beside its ticks, whatever runs")
    func trigger() async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1, .skip)
        var message = scene.message(2)
        message.id = JobID("by-hand")
        let now = scene.due(1).addingTimeInterval(7.123)
        try await scene.broker.trigger(message, of: TickScene.entry, at: now)
        #expect(try await scene.queued() == ["t1", "by-hand"])
        let item = try #require(try await scene.broker.newestLog(limit: 1).first)
        #expect(item.event == .triggered)
        #expect(item.dueAt.nearestMillisecond == now.nearestMillisecond)
        #expect(item.job == JobID("by-hand"))
        #expect(
            try await scene.broker.newestTicks(of: [TickScene.entry]) == ["sweep": scene.due(1)])
        #expect(try await scene.enqueue(2, .skip) == .overlapped)
    }

    @Test("a message that is too large is refused, and the tick stays due")
    func tooLarge() async throws {
        let scene = try await TickScene { $0.maximumMessageBytes = 100 }
        let error = await #expect(throws: BrokerError.self) { try await scene.enqueue(1) }
        #expect(error?.code == .limit)
        #expect(
            try await scene.broker.newestTicks(of: [TickScene.entry]) == ["sweep": scene.due(0)])
    }

    @Test("a key of another type stops the step before anything is written", arguments: 0..<5)
    func wrongTypes(_ index: Int) async throws {
        let scene = try await TickScene()
        let keys = scene.broker.keys
        let key = [keys.ticks, keys.runningTicks, keys.waitingTicks, keys.tickLog, "mail"][index]
        _ = try await scene.fixture.raw.send(RedisCommand("DEL", key))
        _ = try await scene.fixture.raw.send(RedisCommand("SET", key, "another's"))
        let before = try await everything(scene)
        await #expect(throws: BrokerError.self) { try await scene.enqueue(1, .queueOne) }
        if index > 0, index < 4 {
            await #expect(throws: BrokerError.self) { try await scene.pass(1, .paused) }
        }
        if index > 0 {
            await #expect(throws: BrokerError.self) {
                try await scene.broker.trigger(
                    scene.message(1), of: TickScene.entry, at: scene.due(1))
            }
        }
        #expect(try await everything(scene) == before)
        let found = try await scene.broker.mistypedKeys(queues: [BrokerFixture.mail])
        #expect(found.map(\.key) == [key])
    }

    /// Every key with its type and contents.
    private func everything(_ scene: TickScene) async throws -> [String: [UInt8]] {
        let names = try await scene.fixture.raw.send(RedisCommand("KEYS", "*"))
        var all: [String: [UInt8]] = [:]
        for name in (names.array ?? []).compactMap(\.string) {
            all[name] = try await scene.fixture.raw.send(RedisCommand("DUMP", name)).bytes
        }
        return all
    }

    @Test("a tick whose answer was lost is recorded once")
    func lostAnswer() async throws {
        let scene = try await TickScene()
        let proxy = try await TCPProxy.start(to: scene.fixture.server.port)
        var options = BrokerOptions()
        options.redis.reconnect = ReconnectBackoff(base: .milliseconds(1), cap: .milliseconds(2))
        let broker = try RedisBroker(url: proxy.redisURL, options: options, logger: .silent)
        var superseded = 0
        for number in 1...60 {
            _ = try await broker.newestTicks(of: [TickScene.entry])
            // From a cut within the call to one behind its answer.
            let direction: TCPProxy.Direction = number % 2 == 0 ? .toServer : .toClient
            try await proxy.set(.cut(afterBytes: number < 40 ? number / 4 : number * 20, direction))
            let tick = TickRecord(
                entry: TickScene.entry, dueAt: scene.due(number), previous: scene.due(number - 1),
                action: .enqueue(scene.message(number), overlap: .allow, staleAfter: .zero))
            let outcome = Probe<TickOutcome>()
            try await eventually(within: .seconds(20), "an answer") {
                do throws(BrokerError) {
                    outcome.record(try await broker.record(tick, at: scene.due(number)))
                } catch {}
                return outcome.count > 0
            }
            if outcome.values == [.superseded] { superseded += 1 }
            try await proxy.set(.pass)
        }
        #expect(superseded > 0, "some answer was lost on its way")
        #expect(try await scene.queued() == (1...60).map { "t\($0)" })
        #expect(try await scene.log() == (1...60).map { "enqueued \($0) t\($0)" })
        await broker.close()
    }

    @Test("an entry that is forgotten leaves nothing but its lines in the log")
    func forget() async throws {
        let scene = try await TickScene()
        let names = (0..<1500).map { "entry \($0)" }
        try await scene.broker.begin(
            Dictionary(uniqueKeysWithValues: names.map { ($0, scene.due(0)) }))
        for name in names.prefix(3) {
            for number in 1...2 {
                let tick = TickRecord(
                    entry: name, dueAt: scene.due(number), previous: scene.due(number - 1),
                    action: .enqueue(
                        scene.message(number, of: name), overlap: .queueOne,
                        staleAfter: .seconds(3600)))
                _ = try await scene.broker.record(tick, at: scene.due(number))
            }
        }
        #expect(try await scene.hash("backhaul:ticks:waiting") == 3)
        try await scene.broker.forget(names + [TickScene.entry, "never known"])
        let left = try await scene.fixture.raw.send(RedisCommand("KEYS", "backhaul:ticks*"))
        #expect(left.array?.compactMap(\.string) == ["backhaul:ticks:log"])
        let last = try await scene.broker.newestLog(limit: 3)
        #expect(last.map(\.event) == [.overlapped, .overlapped, .overlapped])
        #expect(try await scene.enqueue(1) == .superseded)
        // The jobs that ran tell their ends all the same.
        try await scene.end()
        #expect(try await scene.broker.newestLog(limit: 1)[0].event == .ended("SUCCESS"))
    }
}
