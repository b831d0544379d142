import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Looking for stuck chords")
struct OpenChordTests {
    private func five() -> Signature {
        .chord(
            ["a", "b", "c", "d", "e"].map(ChordFixture.member), body: ChordFixture.body,
            options: ["task_id": "g"])
    }

    @Test("each missing member is found where it is, and the one that is nowhere is named")
    func places() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(five())
        let taken = try await fixture.take(4)
        _ = try await fixture.broker.settle([
            try fixture.success(taken[0], 1),
            // Buried without a word to the chord, as by a worker of before.
            Settling(
                delivery: taken[1], transition: .bury(in: .dead, fixture.base.buried(taken[1]))),
            Settling(
                delivery: taken[2],
                transition: .retry(
                    message: taken[2].raw, at: Date(timeIntervalSince1970: 4_000_000_000))),
        ])
        let found = try #require(
            try await fixture.broker.findMembers(
                of: "g", queues: [BrokerFixture.mail], lookingAt: 1000))
        #expect(found.chord.missing == 4)
        #expect(found.there.map(\.id) == ["a"])
        #expect(found.found.map(\.id) == ["b", "c", "d", "e"])
        #expect(found.found.map(\.index) == [1, 2, 3, 4])
        #expect(
            found.found.map(\.place) == [
                .buried(in: .dead, entry: taken[1].lease.tag, reason: "test: because"),
                .delayed(until: Date(timeIntervalSince1970: 4_000_000_000)),
                .inFlight(worker: fixture.base.worker.text), .waiting(queue: "mail"),
            ])
        #expect(found.lost == 0)
        _ = try await fixture.base.raw.send(RedisCommand("DEL", "mail"))
        let after = try #require(
            try await fixture.broker.findMembers(of: "g", queues: [], lookingAt: 1000))
        #expect(after.lost == 1)
        #expect(after.nowhere == [4])
    }

    @Test("a member that a chain leads to, or an inner chord, is found behind what comes before it")
    func behind() async throws {
        let fixture = try await ChordFixture()
        let inner = Signature.chord(
            [ChordFixture.member("i")], body: ChordFixture.member("inner"))
        try await fixture.send(
            .chord(
                [.chain([ChordFixture.member("first"), ChordFixture.member("last")]), inner],
                body: ChordFixture.body, options: ["task_id": "g"]))
        let found = try #require(
            try await fixture.broker.findMembers(
                of: "g", queues: [BrokerFixture.mail], lookingAt: 1000))
        #expect(found.found.map(\.id) == ["last", "inner"])
        #expect(found.found.map(\.behind) == ["first", "i"])
        #expect(found.lost == 0)
    }

    @Test("a look that stops early says so, and calls nothing lost")
    func bounded() async throws {
        let fixture = try await ChordFixture()
        try await fixture.base.enqueue(20)
        try await fixture.send(five())
        let found = try #require(
            try await fixture.broker.findMembers(
                of: "g", queues: [BrokerFixture.mail], lookingAt: 10))
        #expect(found.isCut)
        #expect(found.nowhere.isEmpty)
    }

    @Test("open chords are listed, those of Python too; ended ones are not")
    func listed() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(five())
        for command in [
            RedisCommand("SET", "celery-taskset-meta-python.s", 2, "EX", 60),
            RedisCommand("RPUSH", "celery-taskset-meta-python.j", "[1, \"x\", \"SUCCESS\", 2]"),
            RedisCommand("SET", "celery-taskset-meta-python.c", "abc", "EX", 60),
            RedisCommand("SET", "celery-taskset-meta-over.c", "done", "EX", 60),
        ] { _ = try await fixture.base.raw.send(command) }
        let found = try await fixture.broker.openChords(lookingAt: 1_000_000)
        #expect(!found.isCut)
        #expect(Set(found.chords.map(\.group)) == ["g", "python"])
        let python = try #require(found.chords.first { $0.group == "python" })
        #expect(python.parts == 1)
        #expect(python.missing == 1)
        #expect(python.claimant == .python)
        #expect(!python.isWatched)
        #expect(try await fixture.broker.openChord("over") == nil)
    }

    @Test("a claim of ours says where its worker runs")
    func claimant() async throws {
        let fixture = try await ChordFixture {
            $0.chords.maximumPartsAtOnce = 0
            $0.origin = "backhaul@here"
        }
        try await fixture.send(five())
        for delivery in try await fixture.take(5) {
            _ = try await fixture.broker.settle([try fixture.success(delivery, 1)])
        }
        let chord = try #require(try await fixture.broker.openChord("g"))
        #expect(chord.claimant == .swift(origin: "backhaul@here"))
        #expect(chord.isWatched)
        #expect(chord.missing == 0)
    }
}
