import Broker
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

/// What Celery's own tests of stamps look at within the worker, they cannot see in ours.
@Suite("Stamps go where the work goes")
struct StampTests {
    private struct Trouble: Error {}

    /// A queue that nobody serves.
    private static let elsewhere: QueueName = "elsewhere"
    private static let stamps: JSONObject = ["customer": "c-7"]

    /// A job that is sent there, with stamps of its own.
    private static let next = Signature("next.job", options: ["queue": "elsewhere"])

    private func stamped(
        _ fixture: WorkerFixture, _ number: Int = 1, embed: JSONObject = [:],
        _ change: (inout OutgoingMessage) -> Void = { _ in }
    ) -> OutgoingMessage {
        fixture.message(number) {
            $0.body = MessageBody(
                args: [], kwargs: ["number": .number(JSONNumber(number))], embed: embed)
            $0.stampedHeaders = ["customer"]
            $0.stamps = Self.stamps
            change(&$0)
        }
    }

    /// The requests that wait elsewhere, once there are so many.
    private func requests(
        _ fixture: WorkerFixture, count: Int = 1
    ) async throws -> [JobRequest] {
        try await eventually {
            try await fixture.broker.waiting(in: Self.elsewhere).reduce(0, +) == count
        }
        let reply = try await fixture.raw.send(
            RedisCommand("LRANGE", Self.elsewhere.text, 0, -1))
        return try (reply.array ?? []).compactMap(\.bytes).map {
            JobRequest(try JobMessage(decoding: $0, limits: WireLimits()))
        }
    }

    @Test("through each retry")
    func retry() async throws {
        let seen = Log<JSONObject>()
        let fixture = try await WorkerFixture { _, context in
            seen.add(context.request?.stamps ?? [:])
            if context.attempt < 3 { throw Trouble() }
            return .done
        }
        try await fixture.broker.enqueue([stamped(fixture)])
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "SUCCESS" }
        }
        #expect(seen.all == [Self.stamps, Self.stamps, Self.stamps])
    }

    @Test("to the job that takes another's place, beside its own, which win")
    func replace() async throws {
        let fixture = try await WorkerFixture { payload, _ in
            let own: JSONObject =
                payload.number == 1 ? ["shift": "night"] : ["customer": "c-8"]
            return .replaced(with: Self.next.stamped(own))
        }
        try await fixture.broker.enqueue([stamped(fixture, 1)])
        try await fixture.run {
            let request = try #require(try await requests(fixture).first)
            #expect(Set(request.stampedHeaders) == ["customer", "shift"])
            #expect(request.stamps == ["customer": "c-7", "shift": "night"])
            try await fixture.broker.enqueue([stamped(fixture, 2)])
            let all = try await requests(fixture, count: 2).map(\.stamps)
            #expect(all.contains(["customer": "c-8"]))
        }
    }

    @Test("to every step of a chain that takes a job's place")
    func replaceWithChain() async throws {
        let fixture = try await WorkerFixture { _, _ in
            .replaced(with: .chain([Self.next, Self.next]))
        }
        try await fixture.broker.enqueue([stamped(fixture)])
        try await fixture.run {
            let request = try #require(try await requests(fixture).first)
            #expect(request.stamps == Self.stamps)
        }
        let reply = try await fixture.raw.send(
            RedisCommand("LRANGE", Self.elsewhere.text, 0, -1))
        let raw = try #require(reply.array?.first?.bytes)
        let body = try JobMessage(decoding: raw, limits: WireLimits()).body(limits: WireLimits())
        let rest = try #require(body.embed["chain"]?.arrayValue?.first)
        #expect(rest["options"]?["customer"] == "c-7")
        #expect(rest["options"]?["stamped_headers"] == ["customer"])
    }

    @Test("to callbacks", arguments: ["callbacks", "chain"])
    func success(part: String) async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        let link = Self.next.stamped(["link": ["a", "b"]])
        try await fixture.broker.enqueue([stamped(fixture, embed: [part: [link.json]])])
        try await fixture.run {
            let request = try #require(try await requests(fixture).first)
            #expect(request.stampedHeaders == ["link"])
            #expect(request.stamps == ["link": ["a", "b"]])
        }
    }

    @Test("to error callbacks")
    func failure() async throws {
        let fixture = try await WorkerFixture { _, _ in throw PermanentFailure("no") }
        let link = Self.next.stamped(["link": 1])
        try await fixture.broker.enqueue([stamped(fixture, embed: ["errbacks": [link.json]])])
        try await fixture.run {
            let request = try #require(try await requests(fixture).first)
            #expect(request.stamps == ["link": 1])
        }
    }

    @Test("and a job with a stamp that was revoked is not run")
    func revoked() async throws {
        let begun = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            begun.add(payload.number ?? -1)
            return .done
        }
        try await fixture.broker.revoke([RevokedStamp(name: "customer", value: "c-7")])
        try await fixture.broker.enqueue([
            stamped(fixture, 1), fixture.message(2),
            stamped(fixture, 3) { $0.stamps = ["customer": ["c-9", "c-8"]] },
        ])
        try await fixture.run {
            try await eventually { try await fixture.status(of: 1) == "REVOKED" }
            try await eventually { try await fixture.status(of: 2) == "SUCCESS" }
            try await eventually { try await fixture.status(of: 3) == "SUCCESS" }
        }
        #expect(begun.all.sorted() == [2, 3])
    }

    @Test("to the members and the body of a chord that a job sends")
    func chord() async throws {
        let fixture = try await WorkerFixture { payload, context in
            guard payload.number == 1 else {
                return .finished(result: .object(context.request?.stamps ?? [:]))
            }
            let member = Signature(
                ProbeJob.name, kwargs: ["number": 2], options: ["queue": "work"])
            try context.send(
                Signature.chord([member, member], body: Self.next).stamped(["season": "spring"]))
            return .done
        }
        try await fixture.broker.enqueue([stamped(fixture)])
        try await fixture.run {
            let request = try #require(try await requests(fixture).first)
            #expect(request.stamps == ["season": "spring"])
            let reply = try await fixture.raw.send(
                RedisCommand("LINDEX", Self.elsewhere.text, 0))
            let body = try JobMessage(
                decoding: try #require(reply.bytes), limits: WireLimits()
            ).body(limits: WireLimits())
            #expect(body.args == [[["season": "spring"], ["season": "spring"]]])
        }
    }
}
