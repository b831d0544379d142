import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("The end of a tick's job, in the step that settles it")
struct TickEndTests {
    @Test("an end that is told twice, or by one who lost the lease, counts once")
    func once() async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1, .queueOne)
        try await scene.enqueue(2, .queueOne)
        let delivery = try #require(try await scene.fixture.reserve(1).first)
        #expect(try await scene.end(delivery) == .settled)
        #expect(try await scene.end(delivery) == .leaseLost)
        #expect(try await scene.queued() == ["t2"])
        #expect(
            try await scene.log() == [
                "enqueued 1 t1", "waiting 2 t2", "ended(\"SUCCESS\") 1 t1", "enqueued 2 t2",
            ])
    }

    @Test("the end of an older job frees nothing")
    func older() async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1, .allow)
        try await scene.enqueue(2, .allow)
        try await scene.enqueue(3, .queueOne)
        #expect(try await scene.end() == .settled)
        #expect(try await scene.queued() == ["t2"])
        #expect(try await scene.hash("backhaul:ticks:waiting") == 1)
        #expect(try await scene.end() == .settled)
        #expect(try await scene.queued() == ["t3"])
    }

    @Test("ends of jobs with and without a tick are settled in one batch, each in its own way")
    func batch() async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1)
        try await scene.fixture.enqueue(3)
        try await scene.enqueue(2)
        let deliveries = try await scene.fixture.reserve(9)
        let batch = try deliveries.map { delivery in
            let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
            let settling = Settling(
                delivery: delivery, transition: .acknowledge,
                result: .success(.null, of: message, at: Date()))
            guard let tick = message.tick else {
                #expect(settling.aftermath == nil)
                return settling
            }
            return settling.telling(EndedTick(tick, of: message.id, in: .success))
        }
        #expect(try await scene.broker.settle(batch) == Array(repeating: .settled, count: 5))
        #expect(try await scene.fixture.census() == [0, 0, 0, 0, 0])
        #expect(
            try await scene.log() == [
                "enqueued 1 t1", "enqueued 2 t2", "ended(\"SUCCESS\") 1 t1",
                "ended(\"SUCCESS\") 2 t2",
            ])
    }

    @Test(
        "a key of another type stops the settling before anything is written; later it counts",
        arguments: 0..<4)
    func wrongTypes(_ index: Int) async throws {
        let scene = try await TickScene()
        try await scene.enqueue(1, .queueOne)
        var other = scene.message(2)
        other.queue = "other"
        let tick = TickRecord(
            entry: TickScene.entry, dueAt: scene.due(2), previous: scene.due(1),
            action: .enqueue(other, overlap: .queueOne, staleAfter: .seconds(3600)))
        #expect(try await scene.broker.record(tick, at: scene.due(2)) == .waiting)
        let delivery = try #require(try await scene.fixture.reserve(1).first)
        let keys = scene.broker.keys
        let key = [keys.runningTicks, keys.waitingTicks, keys.tickLog, "other"][index]
        let raw = scene.fixture.raw
        _ = try await raw.send(RedisCommand("COPY", key, "saved"))
        _ = try await raw.send(RedisCommand("DEL", key))
        _ = try await raw.send(RedisCommand("SET", key, "another's"))
        let grave = Transition.bury(in: .dead, scene.fixture.buried(delivery))
        #expect(try await scene.end(delivery, .failure, grave) == .refused)
        #expect(try await scene.fixture.census() == [0, 1, 0, 0, 0])
        _ = try await raw.send(RedisCommand("DEL", key))
        _ = try await raw.send(RedisCommand("COPY", "saved", key))
        #expect(try await scene.end(delivery, .failure, grave) == .settled)
        #expect(try await scene.fixture.census() == [0, 0, 0, 1, 0])
        #expect(try await scene.fixture.length("other") == 1)
        #expect(try await scene.log().last == "enqueued 2 t2")
    }

    @Test("poison goes to quarantine, the end is told, and the tick that waits begins")
    func poison() async throws {
        let scene = try await TickScene { $0.maximumDeaths = 1 }
        let dead = WorkerID(host: "gone", processID: 2, random: 8)
        try await scene.enqueue(1, .queueOne)
        try await scene.enqueue(2, .queueOne)
        #expect(try await scene.fixture.reserve(1, as: dead).count == 1)
        _ = try await scene.fixture.raw.send(RedisCommand("ZADD", "backhaul:workers", 1, dead.text))
        let reclaimed = try await scene.broker.reportDeath(of: dead)
        #expect(reclaimed.poisoned.map(\.code) == ["poison.deaths"])
        #expect(try await scene.fixture.census() == [1, 0, 0, 0, 1])
        #expect(try await scene.queued() == ["t2"])
        #expect(
            try await scene.log().suffix(2) == ["ended(\"FAILURE\") 1 t1", "enqueued 2 t2"])
        let result = try await scene.fixture.raw.send(RedisCommand("GET", "celery-task-meta-t1"))
        #expect(result.string?.contains("FAILURE") == true)
    }

    @Test("the end is told also when what follows from the job is too large to be sent")
    func tooLarge() async throws {
        let scene = try await TickScene { $0.maximumMessageBytes = 4096 }
        try await scene.enqueue(1)
        let delivery = try #require(try await scene.fixture.reserve(1).first)
        var aftermath = Aftermath()
        var large = scene.fixture.message("large")
        large.body = MessageBody(
            args: [.string(String(repeating: "x", count: 9000))], kwargs: [:])
        aftermath.publication.messages = [large]
        let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        let settling = Settling(
            delivery: delivery, transition: .acknowledge, aftermath: aftermath
        ).telling(
            EndedTick(try #require(message.tick), of: message.id, in: .success))
        #expect(try await scene.broker.settle([settling]) == [.settled])
        #expect(try await scene.fixture.census() == [0, 0, 0, 1, 0])
        #expect(try await scene.log() == ["enqueued 1 t1", "ended(\"FAILURE\") 1 t1"])
    }
}
