import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Requests of remote control")
struct ControlRequestTests {
    private func request(
        _ body: JSONValue, headers: JSONObject = ["clock": 7]
    ) throws(MessageError) -> ControlRequest {
        try ControlRequest(
            decoding: ControlClient.envelope(body, headers: headers), limits: WireLimits())
    }

    @Test("what Celery sends is read")
    func read() throws {
        let request = try request(
            [
                "method": "ping", "arguments": ["x": 1], "destination": ["wp@lab"],
                "pattern": nil, "matcher": nil, "ticket": "f66f",
                "reply_to": ["exchange": "reply.celery.pidbox", "routing_key": "d483"],
            ], headers: ["clock": 2, "expires": 1795334822.5])
        #expect(request.method == "ping")
        #expect(request.arguments == ["x": 1])
        #expect(request.destination == ["wp@lab"])
        #expect(request.ticket == "f66f")
        #expect(
            request.replyAddress
                == .init(exchange: "reply.celery.pidbox", routingKey: "d483"))
        #expect(request.clock == 2)
        #expect(request.expires == Date(timeIntervalSince1970: 1795334822.5))
    }

    @Test("no destination, or an empty one, means everybody; a destination wins over a pattern")
    func destination() throws {
        #expect(try request(["method": "ping"]).isMeant(for: "a@b"))
        #expect(try request(["method": "ping", "destination": []]).isMeant(for: "a@b"))
        let named = try request([
            "method": "ping", "destination": ["c@d"], "pattern": "*", "matcher": "glob",
        ])
        #expect(named.isMeant(for: "c@d"))
        #expect(!named.isMeant(for: "a@b"))
    }

    @Test(
        "patterns mean the names that they match",
        arguments: [
            ("glob", "celery@*", true), ("glob", "*@web0?", true), ("glob", "*@web0", false),
            ("glob", "[a-d]elery@*", true), ("glob", "[!a-d]elery@*", false),
            ("glob", "c[*]*", false), ("glob", "*", true), ("glob", "**@**1", true),
            ("glob", "[", false), ("glob", "celery@web01x", false),
            ("pcre", "celery@web", true), ("pcre", "web", false), ("pcre", "cel.*01$", true),
            ("pcre", "(celery|mail)@web\\d+", true), ("pcre", "^$", false),
        ])
    func patterns(matcher: String, pattern: String, isMeant: Bool) throws {
        let request = try request([
            "method": "ping", "pattern": .string(pattern), "matcher": .string(matcher),
        ])
        #expect(request.isMeant(for: "celery@web01") == isMeant)
    }

    @Test(
        "what is no request has a reason",
        arguments: [
            (["method": nil], "control.shape"), (["method": ""], "control.shape"),
            (["method": 7], "control.shape"), ([1, 2], "control.shape"), (nil, "control.shape"),
            (["method": "ping", "arguments": []], "control.shape"),
            (["method": "ping", "destination": 7], "control.shape"),
            (["method": "ping", "reply_to": "me"], "control.shape"),
            (["method": "ping", "reply_to": ["exchange": 1]], "control.shape"),
            (["method": "ping", "pattern": "(", "matcher": "pcre"], "control.pattern"),
            (["method": "ping", "pattern": "(a+)+$", "matcher": "pcre"], "control.pattern"),
            (["method": "ping", "pattern": "((a*)b){3}", "matcher": "pcre"], "control.pattern"),
            (["method": "ping", "pattern": "x", "matcher": "soundex"], "control.pattern"),
        ] as [(JSONValue, String)])
    func malformed(body: JSONValue, code: String) {
        #expect {
            _ = try request(body)
        } throws: { ($0 as? MessageError)?.code == code }
    }

    @Test(
        "bytes that are no envelope are refused, whatever they are",
        arguments: [
            "", "{", "[]", "null", "{}", #"{"body": 7}"#,
            #"{"body": "!", "content-type": "application/json", "headers": {}}"#,
        ]
    )
    func garbage(text: String) {
        #expect(throws: MessageError.self) {
            _ = try ControlRequest(decoding: Array(text.utf8), limits: WireLimits())
        }
    }

    @Test("a name or a pattern without end is refused")
    func endless() {
        let long = JSONValue.string(String(repeating: "x", count: 5000))
        #expect(throws: MessageError.self) { _ = try request(["method": long]) }
        #expect(throws: MessageError.self) {
            _ = try request(["method": "ping", "pattern": long, "matcher": "glob"])
        }
    }

    @Test("an answer is what kombu expects")
    func reply() throws {
        let reply = ControlReply(
            ["ok": "pong"], by: "a@b", to: .init(exchange: "reply.celery.pidbox", routingKey: "k"),
            ticket: "t", clock: 9)
        let envelope = try JSONValue(parsing: reply.encoded(deliveryTag: "tag"))
        let body = try #require(envelope["body"]?.stringValue)
        let content = try JSONValue(parsing: [UInt8](try #require(Data(base64Encoded: body))))
        #expect(content == ["a@b": ["ok": "pong"]])
        #expect(envelope["headers"] == ["ticket": "t", "clock": 9])
        #expect(envelope["properties"]?["delivery_info"]?["routing_key"] == "k")
        #expect(envelope["properties"]?["delivery_mode"] == 1)
    }
}

@Suite("Rate limits")
struct RateLimitTests {
    @Test(
        "are read as Celery writes them",
        arguments: [("10/m", 6.0), ("5/s", 0.2), ("2/h", 1800), ("4", 0.25), ("0.5/s", 2)])
    func read(text: String, seconds: Double) throws {
        let rate = try #require(try RateLimit(text))
        #expect(rate.interval == .seconds(seconds))
        #expect(rate.text == text)
    }

    @Test("zero is none", arguments: ["0", "0/m"])
    func none(text: String) throws { #expect(try RateLimit(text) == nil) }

    @Test(
        "others are refused", arguments: ["", "x", "10/", "10/y", "-1/s", "nan", "inf/s", "1/s/s"])
    func refused(text: String) {
        #expect(throws: InvalidName.self) { _ = try RateLimit(text) }
    }
}
