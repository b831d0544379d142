import Foundation
import Testing

@testable import JobModel

@Suite("OutgoingMessage")
struct OutgoingMessageTests {
    /// Messages whose content an `OutgoingMessage` can say, and whose reprs are plain.
    private static let comparable = [
        "args", "kwargs", "mixed", "no-arguments", "eta", "countdown", "priority-0", "priority-9",
        "time-limits", "numbers", "not-finite", "headers", "ignore-result",
    ]

    @Test("the same message is, byte for byte, what Celery sends", arguments: comparable)
    func likeCelery(_ name: String) throws {
        let raw = try GoldenFile.bytes(name)
        let golden = try message(raw)
        let root = try JSONValue(parsing: raw)
        let queue = try #require(root["properties"]?["delivery_info"]?["routing_key"]?.stringValue)
        var ours = OutgoingMessage(
            id: golden.id, name: golden.name, body: try golden.body(limits: WireLimits()),
            queue: try QueueName(queue))
        ours.priority = golden.priority
        ours.eta = golden.eta
        ours.hardTimeLimit = golden.hardTimeLimit
        ours.softTimeLimit = golden.softTimeLimit
        ours.ignoreResult = golden.ignoreResult ?? false
        ours.headers = try #require(root["headers"]?.objectValue)
        let encoded = ours.encoded(
            origin: try #require(root["headers"]?["origin"]?.stringValue),
            deliveryTag: try #require(root["properties"]?["delivery_tag"]?.stringValue))
        let replyTo = try #require(root["properties"]?["reply_to"]?.stringValue)
        let expected = String(decoding: raw, as: UTF8.self)
            .replacing(replyTo, with: "")
            .replacing("\"ignore_result\": null", with: "\"ignore_result\": false")
        #expect(String(decoding: encoded, as: UTF8.self) == expected)
    }

    @Test("everything that is said is read again")
    func roundTrip() throws {
        var message = OutgoingMessage(
            id: JobID("i\"é"), name: "täsk",
            body: MessageBody(args: ["é", nil], kwargs: ["k": [1.5]]),
            queue: "mail")
        message.priority = Priority(7)
        message.eta = Date(timeIntervalSince1970: 1_800_000_000.25)
        message.expires = Date(timeIntervalSince1970: 1_900_000_000)
        message.hardTimeLimit = .seconds(60)
        message.softTimeLimit = .milliseconds(1500)
        message.ignoreResult = true
        message.rootID = "r"
        message.parentID = "p"
        message.headers = ["trace": "x", "id": "evil"]
        let raw = message.encoded(origin: "o", deliveryTag: "d")
        let read = try JobModelTests.message(raw)
        #expect(read.id == message.id)
        #expect(read.name == message.name)
        #expect(read.priority == message.priority)
        #expect(read.eta == message.eta)
        #expect(read.expires == message.expires)
        #expect(read.hardTimeLimit == message.hardTimeLimit)
        #expect(read.softTimeLimit == message.softTimeLimit)
        #expect(read.ignoreResult == true)
        #expect(read.rootID == "r")
        #expect(read.parentID == "p")
        let body = try read.body(limits: WireLimits())
        #expect(body.args == message.body.args)
        #expect(body.kwargs == message.body.kwargs)
        let root = try JSONValue(parsing: raw)
        #expect(root["headers"]?["trace"] == "x")
        #expect(root["properties"]?["delivery_info"] == ["exchange": "", "routing_key": "mail"])
    }

    @Test("canvas parts go into the body's third place")
    func embed() throws {
        let link: JSONValue = [["task": "next"]]
        let message = OutgoingMessage(
            id: JobID("i"), name: "t",
            body: MessageBody(args: [], kwargs: [:], embed: ["callbacks": link]), queue: "q")
        let body = try JobModelTests.message(message.encoded(origin: "o", deliveryTag: "d"))
            .body(limits: WireLimits())
        #expect(body.embed == ["callbacks": link, "errbacks": nil, "chain": nil, "chord": nil])
    }

    @Test("arguments are shown as Python shows them")
    func repr() {
        #expect(PythonRepr.tuple([]) == "()")
        #expect(PythonRepr.tuple([1]) == "(1,)")
        #expect(
            PythonRepr.tuple([1, 2.5, true, nil, "a'b", "a\"'", "\n\u{1}é\\", ["x"], ["k": [:]]])
                == #"(1, 2.5, True, None, "a'b", 'a"\'', '\n\x01é\\', ['x'], {'k': {}})"#)
        #expect(PythonRepr.dictionary(["a": .number(JSONNumber(.nan))]) == "{'a': nan}")
        #expect(
            PythonRepr.tuple([["__type__": "decimal", "__value__": "1.10"]]) == "(Decimal('1.10'),)"
        )
    }

    @Test("long arguments are cut")
    func longRepr() {
        let text = PythonRepr.tuple([.string(String(repeating: "é", count: 5000))])
        #expect(text.unicodeScalars.count == PythonRepr.maximumCharacters)
        #expect(text.hasSuffix("..."))
        let many = PythonRepr.tuple(Array(repeating: 1, count: 100_000))
        #expect(many.unicodeScalars.count == PythonRepr.maximumCharacters)
    }
}
