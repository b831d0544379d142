import Foundation
import Testing

@testable import JobModel

@Suite("A message that an operator mends")
struct JobMessageEditTests {
    private let now = Date(timeIntervalSince1970: 1_795_510_800)

    private func message(
        _ body: MessageBody = MessageBody(args: [1], kwargs: ["amount": 10]),
        _ change: (inout OutgoingMessage) -> Void = { _ in }
    ) throws -> JobMessage {
        var outgoing = OutgoingMessage(id: JobID("m1"), name: "test.job", body: body, queue: "mail")
        change(&outgoing)
        return try read(outgoing.encoded(origin: "test", deliveryTag: "t"))
    }

    private func read(_ bytes: [UInt8]) throws -> JobMessage {
        try JobMessage(decoding: bytes, limits: WireLimits())
    }

    @Test("new arguments take the place of the old, and what shows them follows")
    func replaced() throws {
        let embed: JSONObject = ["callbacks": .null, "chord": .null, "mine": 7]
        let old = try message(MessageBody(args: [1], kwargs: [:], embed: embed))
        let new = MessageBody(args: ["é"], kwargs: ["amount": 12], embed: embed)
        let again = try read(try old.replacing(new))
        #expect(try again.body(limits: WireLimits()) == new)
        let headers = again.headerFields()
        #expect(headers["argsrepr"] == "('é',)")
        #expect(headers["kwargsrepr"] == "{'amount': 12}")
        #expect(headers["origin"] == "test")
        #expect(again.id == old.id && again.name == old.name)
    }

    @Test("a body that was compressed or named another type is written as plain JSON")
    func plain() throws {
        var root = try message().envelope()
        var headers = try #require(root["headers"]?.objectValue)
        headers["compression"] = "application/x-gzip"
        root["headers"] = .object(headers)
        root["content-type"] = "application/x-python-serialize"
        let odd = try read(JSONValue.object(root).encoded())
        #expect(throws: MessageError.self) { try odd.body(limits: WireLimits()) }
        let body = MessageBody(args: [], kwargs: ["a": 1])
        let again = try read(try odd.replacing(body))
        #expect(try again.body(limits: WireLimits()).kwargs == ["a": 1])
        #expect(again.headerFields()["compression"] == nil)
    }

    @Test("afresh: no retries, no eta, no deaths; the history, the expiry and the rest stay")
    func afresh() throws {
        let first = try message { $0.expires = Date(timeIntervalSince1970: 1_795_510_900) }
        let report = FailureReport(code: "x", type: "X", message: "x")
        let failed = try read(try first.retried(retries: 3, eta: now, adding: report, at: now))
        var root = try failed.envelope()
        var headers = try #require(root["headers"]?.objectValue)
        headers[JobMessage.deathsHeader] = ["web01.1.a", "web02.2.b"]
        headers["mine"] = 7
        root["headers"] = .object(headers)
        let held = try read(JSONValue.object(root).encoded())
        #expect(held.deaths == ["web01.1.a", "web02.2.b"])
        let again = try read(try held.afresh(at: now))
        #expect(again.retries == 0)
        #expect(again.eta == nil)
        #expect(again.deaths == [])
        #expect(again.errorHistory().count == 1)
        #expect(again.headerFields()["mine"] == 7)
        #expect(again.expires == first.expires)
        #expect(try read(try held.afresh(keepsExpiry: false, at: now)).expires == nil)
    }

    @Test("messages of protocol 1 carry all that in their body")
    func protocolOne() throws {
        let body = #"""
            {"task": "test.job", "id": "m1", "args": [1], "kwargs": {"a": 1}, "retries": 2,
             "eta": "2026-11-24T10:00:00", "expires": "2026-11-24T11:00:00", "utc": true}
            """#
        let envelope: JSONValue = [
            "body": .string(body), "content-type": "application/json",
            "content-encoding": "utf-8", "properties": [:], "headers": [:],
        ]
        let old = try read(envelope.encoded())
        let new = MessageBody(args: [2], kwargs: ["b": 2])
        let edited = try read(try old.replacing(new))
        #expect(try edited.body(limits: WireLimits()).args == [2])
        #expect(try edited.body(limits: WireLimits()).kwargs == ["b": 2])
        #expect(edited.retries == 2)
        let again = try read(try edited.afresh(keepsExpiry: false, at: now))
        #expect(again.retries == 0)
        #expect(again.eta == nil)
        #expect(again.expires == nil)
        #expect(try again.body(limits: WireLimits()).args == [2])
    }
}
