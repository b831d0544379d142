import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Ticks that overlap")
struct TickOverlapTests {
    @Test("`allow` enqueues whatever runs")
    func allow() async throws {
        let scene = try await TickScene()
        for number in 1...3 { #expect(try await scene.enqueue(number, .allow) == .enqueued) }
        #expect(try await scene.queued() == ["t1", "t2", "t3"])
    }

    @Test("`skip` passes ticks over until the last job has ended")
    func skip() async throws {
        let scene = try await TickScene()
        #expect(try await scene.enqueue(1, .skip) == .enqueued)
        #expect(try await scene.enqueue(2, .skip) == .overlapped)
        #expect(try await scene.enqueue(3, .skip, missed: 4) == .overlapped)
        #expect(try await scene.end() == .settled)
        #expect(try await scene.enqueue(4, .skip) == .enqueued)
        #expect(
            try await scene.log() == [
                "enqueued 1 t1", "overlapped 2 -", "overlapped 3 -",
                "ended(\"SUCCESS\") 1 t1", "enqueued 4 t4",
            ])
        #expect(try await scene.broker.log(after: nil, limit: 9).map(\.missed) == [0, 0, 4, 0, 0])
    }

    @Test("of the ticks that wait the newest is kept, and begins when the last job ends")
    func queueOne() async throws {
        let scene = try await TickScene()
        #expect(try await scene.enqueue(1, .queueOne) == .enqueued)
        for number in 2...4 { #expect(try await scene.enqueue(number, .queueOne) == .waiting) }
        #expect(try await scene.hash("backhaul:ticks:waiting") == 1)
        #expect(try await scene.queued() == ["t1"])
        let sent = scene.message(4)
        try await scene.end(.failure, .retry(message: [0], at: nil))
        _ = try await scene.fixture.raw.send(RedisCommand("RPOP", "mail"))
        let delivery = try #require(try await scene.fixture.reserve(1).first)
        let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        #expect(message.id == sent.id)
        #expect(message.tick == TickOrigin(entry: "sweep", dueAt: scene.due(4)))
        #expect(try await scene.hash("backhaul:ticks:waiting") == 0)
        // It is the one that runs now.
        #expect(try await scene.enqueue(5, .queueOne) == .waiting)
        #expect(try await scene.end(delivery) == .settled)
        #expect(try await scene.end() == .settled)
        #expect(try await scene.hash("backhaul:ticks:running") == 0)
        #expect(
            try await scene.log() == [
                "enqueued 1 t1", "waiting 2 t2", "overlapped 2 t2", "waiting 3 t3",
                "overlapped 3 t3", "waiting 4 t4", "ended(\"FAILURE\") 1 t1", "enqueued 4 t4",
                "waiting 5 t5", "ended(\"SUCCESS\") 4 t4", "enqueued 5 t5",
                "ended(\"SUCCESS\") 5 t5",
            ])
    }

    @Test("a job that nobody tells the end of counts for as long as was said")
    func stale() async throws {
        for policy in [OverlapPolicy.skip, .queueOne] {
            let scene = try await TickScene()
            try await scene.enqueue(1, policy, staleAfter: .seconds(120))
            #expect(try await scene.enqueue(2, policy, staleAfter: .seconds(120)) != .enqueued)
            let outcome = try await scene.enqueue(3, policy, staleAfter: .seconds(120))
            if policy == .skip {
                #expect(outcome == .enqueued)
                #expect(try await scene.queued() == ["t1", "t3"])
            } else {
                // The one that waited goes first, and this one waits for it.
                #expect(outcome == .waiting)
                #expect(try await scene.queued() == ["t1", "t2"])
            }
        }
    }

    @Test(
        "a record that a Python worker left of the end lets the next tick go",
        arguments: ["SUCCESS", "FAILURE", "REVOKED"])
    func pythonResult(_ state: String) async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1, .skip)
        #expect(try await scene.enqueue(2, .queueOne) == .waiting)
        for running in ["STARTED", "RETRY", "PROGRESS"] {
            try await scene.pythonResult(1, running)
            #expect(try await scene.broker.releaseWaiting(at: scene.due(2)) == 0)
        }
        try await scene.pythonResult(1, state)
        #expect(try await scene.broker.releaseWaiting(at: scene.due(3)) == 1)
        #expect(try await scene.queued() == ["t1", "t2"])
        try await scene.pythonResult(2, state)
        #expect(try await scene.enqueue(3, .skip) == .enqueued)
    }

    @Test("what waits behind a job that is over goes before whatever is recorded next")
    func recordReleases() async throws {
        for action in ["pass", "skip", "queueOne", "allow"] {
            let scene = try await TickScene()
            try await scene.enqueue(1, .queueOne)
            try await scene.enqueue(2, .queueOne)
            try await scene.pythonResult(1, "SUCCESS")
            switch action {
            case "pass": #expect(try await scene.pass(3, .holiday) == .passed)
            case "skip": #expect(try await scene.enqueue(3, .skip) == .overlapped)
            case "queueOne": #expect(try await scene.enqueue(3, .queueOne) == .waiting)
            default: #expect(try await scene.enqueue(3, .allow) == .enqueued)
            }
            #expect(
                try await scene.queued()
                    == (action == "allow" ? ["t1", "t2", "t3"] : ["t1", "t2"]))
            #expect(
                try await scene.hash("backhaul:ticks:waiting") == (action == "queueOne" ? 1 : 0))
        }
    }

    @Test("an entry that allows overlaps from now on leaves nothing waiting")
    func policyChanges() async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1, .queueOne)
        try await scene.enqueue(2, .queueOne)
        #expect(try await scene.enqueue(3, .allow) == .enqueued)
        #expect(try await scene.queued() == ["t1", "t2", "t3"])
        #expect(try await scene.hash("backhaul:ticks:waiting") == 0)
    }

    @Test("waiting ticks go within a round when the job before is stale, each entry by itself")
    func releases() async throws {
        let scene = try await TickScene()
        let entries = (0..<5).map { "e\($0)" }
        try await scene.broker.begin(
            Dictionary(uniqueKeysWithValues: entries.map { ($0, scene.due(0)) }))
        for (index, entry) in entries.enumerated() {
            for number in 1...2 {
                var message = scene.message(number, of: entry)
                message.id = JobID("\(entry)-\(number)")
                // The third cannot go: its list is none.
                message.queue = index == 2 ? "broken" : BrokerFixture.mail
                let tick = TickRecord(
                    entry: entry, dueAt: scene.due(number), previous: scene.due(number - 1),
                    action: .enqueue(
                        message, overlap: .queueOne, staleAfter: .seconds(index == 4 ? 900 : 300)))
                _ = try await scene.broker.record(tick, at: scene.due(number))
            }
        }
        _ = try await scene.fixture.raw.send(RedisCommand("DEL", "broken"))
        _ = try await scene.fixture.raw.send(RedisCommand("SET", "broken", "another's"))
        #expect(try await scene.broker.releaseWaiting(at: scene.due(4)) == 0)
        #expect(try await scene.broker.releaseWaiting(at: scene.due(6)) == 3)
        #expect(try await scene.broker.releaseWaiting(at: scene.due(6)) == 0)
        #expect(
            Set(try await scene.queued().suffix(3)) == ["e0-2", "e1-2", "e3-2"])
        #expect(try await scene.hash("backhaul:ticks:waiting") == 2)
    }

    @Test("two that let waiting ticks go at once let each go once")
    func releasesOnce() async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1, .queueOne)
        try await scene.enqueue(2, .queueOne)
        let delivery = try #require(try await scene.fixture.reserve(1).first)
        async let ended = scene.end(delivery)
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<10 {
                group.addTask { try await scene.broker.releaseWaiting(at: scene.due(500)) }
            }
            return try await group.reduce(0, +)
        }
        #expect(try await ended == .settled)
        #expect(counts <= 1)
        #expect(try await scene.queued() == ["t2"])
    }

    @Test("records of running and waiting jobs that nobody of ours wrote count as none")
    func garbage() async throws {
        let scene = try await TickScene()
        for garbage in ["", "x", "1 2", "1\n2\n3", "{}", "\u{0}", "1.5 2 job"] {
            for key in ["backhaul:ticks:running", "backhaul:ticks:waiting"] {
                _ = try await scene.fixture.raw.send(
                    RedisCommand("HSET", key, TickScene.entry, garbage))
            }
            #expect(try await scene.broker.releaseWaiting(at: scene.due(500)) == 0)
        }
        #expect(try await scene.enqueue(1, .skip) == .enqueued)
        // A result of another type says nothing.
        _ = try await scene.fixture.raw.send(RedisCommand("LPUSH", "celery-task-meta-t1", "x"))
        #expect(try await scene.enqueue(2, .skip) == .overlapped)
    }
}
