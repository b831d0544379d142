import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Chords that fail, and whose workers die")
struct ChordFailureTests {
    private static let group = "celery-taskset-meta-g"

    private func pair(_ options: JSONObject = JSONObject()) -> Signature {
        var options = options
        options["task_id"] = "g"
        return .chord(
            ["a", "b"].map(ChordFixture.member), body: ChordFixture.body, options: options)
    }

    @Test("a member that fails fails the body, once all members have ended")
    func failure() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(pair())
        let deliveries = try await fixture.take(2)
        _ = try await fixture.broker.settle([try fixture.failure(deliveries[0])])
        #expect(try await fixture.record(of: "body") == nil)
        _ = try await fixture.broker.settle([try fixture.success(deliveries[1], 1)])
        #expect(try await fixture.record(of: "body") == nil, "the member is seen to fail first")
        try await fixture.tend()
        let record = try await fixture.record(of: "body")
        #expect(record?["status"] == "FAILURE")
        #expect(record?["result"]?["exc_type"] == "ChordError")
        #expect(
            record?["result"]?["exc_message"] == ["Dependency a raised ValueError('boom')"])
        #expect(try await fixture.int("EXISTS", Self.group + ".s") == 0)
        #expect(try await fixture.int("ZCARD", "backhaul:chords") == 0)
        #expect(try await fixture.take().isEmpty)
        #expect(try await fixture.broker.count(of: .dead) == 1)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("a chord that fails within another's header fails the outer one, too")
    func outer() async throws {
        let fixture = try await ChordFixture()
        let inner = Signature.chord(
            ["a", "b"].map(ChordFixture.member),
            body: Signature("test.inner", options: ["task_id": "inner"]))
        try await fixture.send(
            .chord([inner, ChordFixture.member("c")], body: ChordFixture.body))
        for delivery in try await fixture.take(3) {
            let id = try fixture.base.ids([delivery])[0]
            let settling =
                id == "a" ? try fixture.failure(delivery) : try fixture.success(delivery, 1)
            _ = try await fixture.broker.settle([settling])
        }
        try await fixture.tend()
        #expect(try await fixture.record(of: "inner")?["status"] == "FAILURE")
        let record = try await fixture.record(of: "body")
        #expect(record?["status"] == "FAILURE")
        #expect(try await fixture.take().isEmpty)
        #expect(try await fixture.int("ZCARD", "backhaul:chords") == 0)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("a claimant that dies is followed by another, and the body is sent once")
    func claimantDies() async throws {
        let fixture = try await ChordFixture {
            // It claims, and ends nothing: as one that dies just then.
            $0.chords.maximumPartsAtOnce = 0
            $0.chords.claim = .seconds(1)
        }
        try await fixture.send(pair())
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 7)])
        }
        #expect(try await fixture.takeBody() == nil)
        let another = try fixture.another()
        #expect(try await another.tendChords(limit: 10).recovered.isEmpty)
        try await eventually("another worker ends the chord") {
            try await another.tendChords(limit: 10).recovered == ["g"]
        }
        // The first was not dead, only slow.
        try await fixture.broker.finishOwn()
        #expect(try await fixture.takeBody() == [[7, 7]])
        #expect(try await fixture.take().isEmpty)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("a Python worker that dies with the claim is followed, too")
    func pythonClaimantDies() async throws {
        let fixture = try await ChordFixture { $0.chords.look = .milliseconds(100) }
        try await fixture.send(pair())
        let deliveries = try await fixture.take(2)
        _ = try await fixture.broker.settle([try fixture.success(deliveries[0], 1)])
        // What Celery's script writes for the last part.
        for command in [
            RedisCommand("SADD", Self.group + ".d", "b:1"),
            RedisCommand("ZADD", Self.group + ".j", 1, #"[1, "b", "SUCCESS", 2]"#),
            RedisCommand("SET", Self.group + ".c", "its-token", "PX", 200),
        ] { _ = try await fixture.base.raw.send(command) }
        try await eventually("a Swift worker ends the chord") {
            try await fixture.broker.tendChords(limit: 10).recovered == ["g"]
        }
        #expect(try await fixture.takeBody() == [[1, 2]])
    }

    @Test("two workers that recover one chord send its body once, also within another chord")
    func race() async throws {
        let fixture = try await ChordFixture {
            $0.chords.maximumPartsAtOnce = 0
            $0.chords.claim = .seconds(1)
        }
        let inner = Signature.chord(
            ["a", "b"].map(ChordFixture.member),
            body: Signature("test.inner", options: ["task_id": "inner"]))
        try await fixture.send(.chord([inner], body: ChordFixture.body))
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([try fixture.failure(delivery)])
        }
        let others = try (0..<3).map { _ in try fixture.another() }
        try await eventually("the outer chord has failed") {
            for other in others { _ = try await other.tendChords(limit: 10) }
            return try await fixture.record(of: "body")?["status"] == "FAILURE"
        }
        #expect(try await fixture.int("ZCARD", "backhaul:chords") == 0)
        #expect(try await fixture.take().isEmpty)
    }

    @Test("a worker that leaves ends what it claimed")
    func leaving() async throws {
        let fixture = try await ChordFixture { $0.chords.maximumPartsAtOnce = 0 }
        try await fixture.send(pair())
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 7)])
        }
        try await fixture.broker.leave(fixture.base.worker)
        #expect(try await fixture.takeBody() == [[7, 7]])
    }

    @Test("a body that is too large to be sent fails with a callback error")
    func bodyTooLarge() async throws {
        let fixture = try await ChordFixture { $0.maximumMessageBytes = 4000 }
        try await fixture.send(pair())
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([
                try fixture.success(delivery, .string(String(repeating: "x", count: 2000)))
            ])
        }
        let result = try await fixture.record(of: "body")?["result"]
        let text = result?["exc_message"]?.arrayValue?.first?.stringValue
        #expect(text?.hasPrefix("Callback error: RuntimeError('job body is") == true)
    }

    @Test("a job whose next step is too large to be sent has failed, and its chord hears of it")
    func stepTooLarge() async throws {
        let fixture = try await ChordFixture { $0.maximumMessageBytes = 6000 }
        try await fixture.send(pair())
        let deliveries = try await fixture.take(2)
        let settling = try fixture.success(deliveries[0], 1)
        var aftermath = try #require(settling.aftermath)
        var large = fixture.base.message("large")
        large.body = MessageBody(
            args: [.string(String(repeating: "x", count: 6000))], kwargs: JSONObject())
        aftermath.publication.messages = [large]
        let answers = try await fixture.broker.settle([
            Settling(
                delivery: deliveries[0], transition: .acknowledge, result: settling.result,
                aftermath: aftermath),
            try fixture.success(deliveries[1], 1),
        ])
        #expect(answers == [.settled, .settled])
        #expect(try await fixture.record(of: "a")?["status"] == "FAILURE")
        try await fixture.tend()
        #expect(try await fixture.record(of: "body")?["status"] == "FAILURE")
        #expect(
            try await fixture.broker.buried(in: .dead, offset: 0, limit: 1).items[0].code
                == "canvas.too_large")
    }

    @Test("a member that killed its workers brings its part from quarantine")
    func poisoned() async throws {
        let fixture = try await ChordFixture { $0.maximumDeaths = 1 }
        try await fixture.send(pair())
        let killer = WorkerID(host: "gone", processID: 2, random: 8)
        _ = try await fixture.take(1, as: killer)
        let other = try await fixture.take()[0]
        _ = try await fixture.broker.settle([try fixture.success(other, 1)])
        _ = try await fixture.base.raw.send(
            RedisCommand("ZADD", "backhaul:workers", 1, killer.text))
        try await eventually {
            try await fixture.broker.reclaimExpired(limit: 10).poisoned.count == 1
        }
        #expect(try await fixture.record(of: "a")?["status"] == "FAILURE")
        try await fixture.tend()
        #expect(try await fixture.record(of: "body")?["status"] == "FAILURE")
        #expect(try await fixture.base.census() == [0, 0, 0, 0, 1])
    }

    @Test("a message of a worker that is alive after all is not condemned")
    func alive() async throws {
        let fixture = try await ChordFixture { $0.maximumDeaths = 1 }
        try await fixture.send(pair())
        let delivery = try await fixture.take(1)[0]
        let condemned = Condemnation(
            FailureReport(code: "test", type: "Test", message: "because"), of: delivery,
            ran: true, options: fixture.broker.options, at: Date())
        let before = try await fixture.everything()
        // Taking it listed the worker, with a lease.
        #expect(
            try await fixture.broker.condemn(
                condemned.settling(in: .quarantine), of: fixture.base.worker) == false)
        #expect(try await fixture.everything() == before)
    }

    @Test("no result is stored for a condemned message where results are switched off")
    func withoutResults() async throws {
        let fixture = try await ChordFixture {
            $0.maximumDeaths = 1
            $0.storesResults = false
        }
        try await fixture.send(Signature("test.alone", options: ["task_id": "alone"]))
        let killer = WorkerID(host: "gone", processID: 2, random: 8)
        _ = try await fixture.take(1, as: killer)
        _ = try await fixture.base.raw.send(
            RedisCommand("ZADD", "backhaul:workers", 1, killer.text))
        try await eventually {
            try await fixture.broker.reclaimExpired(limit: 10).poisoned.count == 1
        }
        #expect(try await fixture.record(of: "alone") == nil)
    }
}
