import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Staging")
struct StagingTests {
    private func many(_ count: Int) -> Signature {
        .chord(
            (0..<count).map { ChordFixture.member("m\($0)") }, body: ChordFixture.body,
            options: ["task_id": "g"])
    }

    private func staged(_ fixture: ChordFixture) async throws -> [String] {
        try await fixture.keys().filter { $0.hasPrefix("backhaul:staged:") }
    }

    @Test("a group of thousands is sent in chunks, in order, with the size of its chord")
    func large() async throws {
        let fixture = try await ChordFixture()
        try await fixture.send(many(2_345))
        #expect(try await fixture.base.length("mail") == 2_345)
        #expect(try await fixture.int("GET", "celery-taskset-meta-g.s") == 2_345)
        let first = try await fixture.take(300)
        #expect(try fixture.base.ids(first) == (0..<300).map { "m\($0)" })
        #expect(try await staged(fixture).isEmpty)
        #expect(try await fixture.int("ZCARD", "backhaul:staging") == 0)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("few messages that are large together are staged as well, and delayed ones wait")
    func bytes() async throws {
        let fixture = try await ChordFixture {
            $0.staging.maximumBytes = 2000
            $0.staging.chunkBytes = 1000
        }
        var publication = Publication()
        publication.messages = (0..<5).map { fixture.base.message("m\($0)") }
        publication.messages[2].eta = Date(timeIntervalSinceNow: 3600)
        try await fixture.broker.publish(publication)
        #expect(try await fixture.base.census() == [4, 0, 1, 0, 0])
        #expect(try fixture.base.ids(try await fixture.take(4)) == ["m0", "m1", "m3", "m4"])
    }

    @Test("who dies before the step leaves only a list that expires")
    func beforeTheStep() async throws {
        let fixture = try await ChordFixture()
        var aftermath = Aftermath()
        aftermath.publication = try fixture.publisher.publication(of: many(700)).0
        _ = try await fixture.broker.effects(of: aftermath)
        let list = try #require(try await staged(fixture).first)
        #expect((1...3600).contains(try await fixture.int("TTL", list) ?? -2))
        #expect(try await fixture.broker.unstageAbandoned(limit: 10) == 0)
        try await fixture.broker.unstage(list)
        #expect(try await fixture.base.length("mail") == 0)
        #expect(try await fixture.int("EXISTS", "celery-taskset-meta-g.s") == 0)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    @Test("who dies after the step is followed by another, and everything is sent once")
    func afterTheStep() async throws {
        let fixture = try await ChordFixture()
        try await fixture.base.enqueue(1)
        let delivery = try await fixture.take()[0]
        var aftermath = Aftermath()
        aftermath.publication = try fixture.publisher.publication(of: many(700)).0
        let settling = Settling(
            delivery: delivery, transition: .acknowledge, aftermath: aftermath)
        #expect(try await fixture.broker.settle([settling]) == [.settled])
        // Nothing is moved yet, but it is sent: the list stays.
        let list = try #require(try await staged(fixture).first)
        #expect(try await fixture.int("TTL", list) == -1)
        #expect(try await fixture.base.length("mail") == 0)
        let another = try fixture.another { $0.staging.grace = .zero }
        _ = try await another.tendChords(limit: 10)
        // The first was not dead.
        try await fixture.broker.finishOwn()
        #expect(try await fixture.base.length("mail") == 700)
        #expect(try await staged(fixture).isEmpty)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
        #expect(try await fixture.broker.settle([settling]) == [.leaseLost])
        #expect(try await fixture.base.length("mail") == 700)
    }

    @Test("two that move one list side by side move each message once")
    func sideBySide() async throws {
        let fixture = try await ChordFixture { $0.staging.chunkMessages = 7 }
        let other = try fixture.another { $0.staging.chunkMessages = 5 }
        var aftermath = Aftermath()
        aftermath.publication = try fixture.publisher.publication(of: many(700)).0
        guard case .success(let effects) = try await fixture.broker.effects(of: aftermath),
            let list = effects.staged
        else {
            Issue.record("it was not staged")
            return
        }
        _ = try await fixture.base.raw.send(RedisCommand("ZADD", "backhaul:staging", 1, list))
        async let first: Void = fixture.broker.unstage(list)
        async let second: Void = other.unstage(list)
        _ = try await (first, second)
        let ids = try fixture.base.ids(try await fixture.take(1000))
        #expect(ids.count == 700)
        #expect(Set(ids).count == 700)
    }

    @Test("what was staged and expired before the step is staged again")
    func expired() async throws {
        let fixture = try await ChordFixture { $0.staging.kept = .zero }
        try await fixture.base.enqueue(1)
        let delivery = try await fixture.take()[0]
        var aftermath = Aftermath()
        aftermath.publication = try fixture.publisher.publication(of: many(700)).0
        let before = try await fixture.everything()
        let settling = Settling(
            delivery: delivery, transition: .acknowledge, aftermath: aftermath)
        #expect(try await fixture.broker.settle([settling]) == [.refused])
        #expect(try await fixture.everything() == before)
    }

    @Test("a publication with a message that is too large is not sent, not even in part")
    func oversized() async throws {
        let fixture = try await ChordFixture { $0.maximumMessageBytes = 2000 }
        var publication = Publication()
        publication.messages = (0..<3).map { fixture.base.message("m\($0)") }
        publication.messages[2].body = MessageBody(
            args: [.string(String(repeating: "x", count: 2000))], kwargs: JSONObject())
        await #expect(throws: BrokerError.self) { try await fixture.broker.publish(publication) }
        #expect(try await fixture.keys().isEmpty)
    }
}
