import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Chords")
struct ChordTests {
    private static let group = "celery-taskset-meta-g"

    private func chord(_ members: [Signature]) -> Signature {
        .chord(members, body: ChordFixture.body, options: ["task_id": "g"])
    }

    private func pair() -> Signature {
        chord([ChordFixture.member("a"), ChordFixture.member("b")])
    }

    @Test("the last part sends the body, with all values in the members' order, and cleans up")
    func ordered() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(chord((0..<20).map { ChordFixture.member("m\($0)") }))
        let deliveries = try await fixture.take(20)
        for (index, delivery) in deliveries.enumerated().reversed() {
            let answers = try await fixture.broker.settle([
                try fixture.success(delivery, .number(JSONNumber(index)))
            ])
            #expect(answers == [.settled])
        }
        let values = JSONValue.array((0..<20).map { .number(JSONNumber($0)) })
        #expect(try await fixture.takeBody() == .array([values]))
        #expect(try await fixture.take().isEmpty)
        for ending in [".j", ".t", ".s", ".d"] {
            #expect(try await fixture.int("EXISTS", Self.group + ending) == 0)
        }
        let claim = try await fixture.base.raw.send(RedisCommand("GET", Self.group + ".c"))
        #expect(claim.string == "done")
        #expect(try await fixture.int("ZCARD", "backhaul:chords") == 0)
        #expect(try await fixture.int("HLEN", "backhaul:chords:entries") == 0)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("a whole batch of members, settled at once, sends the body once")
    func batch() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(chord((0..<50).map { ChordFixture.member("m\($0)") }))
        let deliveries = try await fixture.take(50)
        let answers = try await fixture.broker.settle(
            try deliveries.map { try fixture.success($0, 1) })
        #expect(answers.allSatisfy { $0 == .settled })
        #expect(try await fixture.takeBody()?.arrayValue?.first?.arrayValue?.count == 50)
        #expect(try await fixture.take().isEmpty)
    }

    @Test("a chord that is sent once more counts members that end before it is told to wait anew")
    func sentOnceMore() async throws {
        let fixture = try await ChordFixture()
        let raw = fixture.base.raw
        try await fixture.send(pair())
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 1)])
        }
        #expect(try await fixture.takeBody() == [[1, 1]])
        // As Python does: the members first, and the size before the last of them.
        try await fixture.send(pair())
        _ = try await raw.send(RedisCommand("SET", Self.group + ".c", "done", "EX", 300))
        _ = try await raw.send(RedisCommand("DEL", Self.group + ".s"))
        let again = try await fixture.take(2)
        _ = try await fixture.broker.settle([try fixture.success(again[0], 2)])
        #expect(try await fixture.keysWithoutEnd().isEmpty)
        _ = try await raw.send(RedisCommand("DEL", Self.group + ".c"))
        _ = try await raw.send(RedisCommand("SET", Self.group + ".s", 2, "EX", 300))
        _ = try await fixture.broker.settle([try fixture.success(again[1], 3)])
        #expect(try await fixture.takeBody() == [[2, 3]])
    }

    @Test("who has lost the lease writes nothing at all")
    func fenced() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(pair())
        let delivery = try await fixture.take()[0]
        _ = try await fixture.base.raw.send(
            RedisCommand("ZREM", "unacked_index", delivery.lease.tag))
        let before = try await fixture.everything()
        let answers = try await fixture.broker.settle([
            try fixture.success(delivery, 1), try fixture.failure(delivery),
        ])
        #expect(answers == [.leaseLost, .leaseLost])
        #expect(try await fixture.everything() == before)
    }

    @Test("a key of another type refuses the whole step, and nothing is half done")
    func refusedWhole() async throws {
        for key in ["mail", Self.group + ".d", Self.group + ".j", "backhaul:chords"] {
            let fixture = try await ChordFixture()
            try await fixture.send(pair())
            let delivery = try await fixture.take(2)[0]
            var settling = try fixture.success(delivery, 1)
            var aftermath = settling.aftermath ?? Aftermath()
            aftermath.publication.messages = [fixture.base.message("next")]
            settling = Settling(
                delivery: delivery, transition: .acknowledge, result: settling.result,
                aftermath: aftermath)
            _ = try await fixture.base.raw.send(RedisCommand("DEL", key))
            _ = try await fixture.base.raw.send(RedisCommand("HSET", key, "of", "another type"))
            let before = try await fixture.everything()
            #expect(try await fixture.broker.settle([settling]) == [.refused])
            #expect(try await fixture.everything() == before)
            _ = try await fixture.base.raw.send(RedisCommand("DEL", key))
            #expect(try await fixture.broker.settle([settling]) == [.settled])
        }
    }

    @Test("a member that ends twice is counted once")
    func duplicate() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(chord(["a", "b", "c"].map(ChordFixture.member)))
        let first = try await fixture.take()[0]
        _ = try await fixture.base.raw.send(RedisCommand("RPUSH", "mail", first.raw))
        _ = try await fixture.broker.settle([try fixture.success(first, 1)])
        let again = try await fixture.take()[0]
        _ = try await fixture.broker.settle([try fixture.success(again, 5)])
        #expect(try await fixture.int("ZCARD", Self.group + ".j") == 1)
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 2)])
        }
        #expect(try await fixture.takeBody() == [[1, 2, 2]])
        // Also after the end, when everything else is gone.
        _ = try await fixture.base.raw.send(RedisCommand("RPUSH", "mail", first.raw))
        let late = try await fixture.take()[0]
        #expect(
            try await fixture.broker.settle([try fixture.success(late, 1)]) == [.settled])
        // It may be the first member of the chord sent once more, and is forgotten soon if it is not.
        let left = try #require(try await fixture.int("TTL", Self.group + ".j"))
        #expect((1...3600).contains(left))
        #expect(try await fixture.keysWithoutEnd().isEmpty)
        #expect(try await fixture.take().isEmpty)
    }

    @Test("parts that came before the size was set are counted")
    func lateSize() async throws {
        let fixture = try await ChordFixture { $0.chords.look = .milliseconds(1) }
        try await fixture.send(pair())
        _ = try await fixture.base.raw.send(RedisCommand("DEL", Self.group + ".s"))
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 1)])
        }
        #expect(try await fixture.takeBody() == nil)
        _ = try await fixture.base.raw.send(RedisCommand("SET", Self.group + ".s", 2, "EX", 60))
        try await eventually("the chord is found") {
            try await fixture.broker.tendChords(limit: 10).recovered == ["g"]
        }
        #expect(try await fixture.takeBody() == [[1, 1]])
    }

    @Test("a chord that is over, or whose keys are gone, is not watched any more")
    func watchedNoMore() async throws {
        let fixture = try await ChordFixture { $0.chords.look = .milliseconds(1) }
        try await fixture.send(pair())
        let first = try await fixture.take()[0]
        _ = try await fixture.broker.settle([try fixture.success(first, 1)])
        #expect(try await fixture.int("ZCARD", "backhaul:chords") == 1)
        _ = try await fixture.broker.tendChords(limit: 10)
        #expect(try await fixture.int("ZCARD", "backhaul:chords") == 1)
        _ = try await fixture.base.raw.send(RedisCommand("DEL", Self.group + ".s"))
        try await eventually {
            _ = try await fixture.broker.tendChords(limit: 10)
            return try await fixture.int("EXISTS", "backhaul:chords", "backhaul:chords:entries")
                == 0
        }
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("a chord with more members than its size says ends once, with the first of them")
    func sizeTooSmall() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(chord(["a", "b", "c"].map(ChordFixture.member)))
        _ = try await fixture.base.raw.send(RedisCommand("SET", Self.group + ".s", 2, "EX", 60))
        for delivery in try await fixture.take(3) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 1)])
        }
        #expect(try await fixture.takeBody() == [[1, 1]])
        #expect(try await fixture.take().isEmpty)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("a chord that Redis refuses to end does not keep others from ending")
    func refusedEnd() async throws {
        let fixture = try await ChordFixture {
            $0.chords.maximumPartsAtOnce = 0
            $0.chords.claim = .seconds(1)
        }
        let broken = Signature(
            "test.body", options: ["task_id": "broken", "queue": "no-list"])
        try await fixture.send(
            .chord([ChordFixture.member("a")], body: broken, options: ["task_id": "h"]))
        try await fixture.send(chord([ChordFixture.member("b")]))
        _ = try await fixture.base.raw.send(RedisCommand("SET", "no-list", "text"))
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 1)])
        }
        _ = try await fixture.broker.tendChords(limit: 10)
        #expect(try await fixture.takeBody() == [[1]])
        _ = try await fixture.base.raw.send(RedisCommand("DEL", "no-list"))
        try await eventually("the other one ends, too") {
            _ = try await fixture.broker.tendChords(limit: 10)
            return try await fixture.base.length("no-list") == 1
        }
    }

    @Test("a part that a member adds is waited for, and counted before the member's own")
    func extraPart() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(chord([ChordFixture.member("a")]))
        let delivery = try await fixture.take()[0]
        let settling = try fixture.success(delivery, 1)
        var aftermath = try #require(settling.aftermath)
        let chord = try #require(aftermath.parts.first?.chord)
        var added = fixture.base.message("added")
        added.groupID = "g"
        added.body = MessageBody(
            args: [], kwargs: JSONObject(), embed: ["chord": chord.body.json])
        aftermath.publication.messages = [added]
        aftermath.publication.extraParts = ["g"]
        _ = try await fixture.broker.settle([
            Settling(
                delivery: delivery, transition: .acknowledge, result: settling.result,
                aftermath: aftermath)
        ])
        #expect(try await fixture.int("GET", Self.group + ".t") == 1)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
        let more = try await fixture.take(2)
        #expect(try fixture.base.ids(more) == ["added"])
        _ = try await fixture.broker.settle([try fixture.success(more[0], 2)])
        #expect(try await fixture.takeBody() == [[1, 2]])
        #expect(try await fixture.int("EXISTS", Self.group + ".t") == 0)
    }

    @Test("a header with a group in it gives nested values, by the saved tree of results")
    func savedGroup() async throws {
        let fixture = try await ChordFixture()
        let inner = Signature.chain([
            ChordFixture.member("first"),
            .group([ChordFixture.member("x"), ChordFixture.member("y")]),
        ])
        try await fixture.send(chord([ChordFixture.member("a"), inner]))
        #expect(try await fixture.int("EXISTS", Self.group) == 1)
        var ended: Set<String> = []
        while ended.count < 4, let delivery = try await fixture.take().first {
            let id = try fixture.base.ids([delivery])[0]
            ended.insert(id)
            _ = try await fixture.broker.settle([try fixture.success(delivery, .string(id))])
        }
        #expect(ended == ["a", "first", "x", "y"])
        #expect(try await fixture.takeBody() == [["a", ["x", "y"]]])
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("results of a saved group that never come end it with a join error, after a limit")
    func joinTimeout() async throws {
        let fixture = try await ChordFixture { $0.chords.join = .milliseconds(50) }
        try await fixture.send(pair())
        let tree: JSONValue = [
            "result": [["g", nil], [[["a", nil], nil], [["elsewhere", nil], nil]]]
        ]
        _ = try await fixture.base.raw.send(
            RedisCommand("SET", Self.group, tree.encoded(), "EX", 60))
        for delivery in try await fixture.take(2) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 1)])
        }
        #expect(try await fixture.record(of: "body") == nil)
        _ = try await fixture.broker.tendChords(limit: 10)
        let record = try await fixture.record(of: "body")
        #expect(record?["status"] == "FAILURE")
        #expect(
            record?["result"]?["exc_message"]
                == ["Join error: TimeoutError('The operation timed out.')"])
    }
}
