import Foundation
import Testing

@testable import JobModel

@Suite("JobMessage")
struct JobMessageTests {
    @Test("the least message that Python accepts is accepted")
    func least() throws {
        for embed in ["{}", "null"] {
            let message = try message(envelope(body: "[[1], {\"a\": 2}, \(embed)]"))
            #expect(message.id.text == "i")
            #expect(message.name == "t")
            #expect(message.retries == 0)
            #expect(message.priority == .highest)
            #expect(message.ignoreResult == nil)
            let body = try message.body(limits: WireLimits())
            #expect(body == MessageBody(args: [1], kwargs: ["a": 2]))
        }
    }

    @Test(
        "an envelope that cannot be read is refused by name",
        arguments: [
            ("", "envelope.json"), ("hello", "envelope.json"), ("{", "envelope.json"),
            ("[1, 2]", "envelope.shape"), ("\"x\"", "envelope.shape"), ("7", "envelope.shape"),
            ("{\"headers\": []}", "envelope.shape"),
            ("{\"headers\": {\"task\": \"t\"}, \"properties\": 1}", "envelope.shape"),
            ("{}", "header.task"), ("{\"headers\": {}}", "header.task"),
            ("{\"headers\": {\"task\": \"t\", \"id\": \"\\ud800\"}}", "envelope.json"),
        ])
    func envelopes(_ text: String, _ code: String) {
        #expect(failure([UInt8](text.utf8))?.code == code)
    }

    @Test(
        "a header that does not fit is refused by name",
        arguments: [
            ("\"retries\": -1", "header.retries"), ("\"retries\": \"1\"", "header.retries"),
            ("\"retries\": 1.5", "header.retries"),
            ("\"retries\": 99999999999999999999", "header.retries"),
            ("\"retries\": 9223372036854775807", "header.retries"),
            ("\"eta\": \"soon\"", "header.eta"), ("\"eta\": 5", "header.eta"),
            ("\"expires\": \"2026-13-01T00:00:00\"", "header.expires"),
            ("\"expires\": {}", "header.expires"),
            ("\"timelimit\": [1]", "header.timelimit"), ("\"timelimit\": 5", "header.timelimit"),
            ("\"timelimit\": [-1, null]", "header.timelimit"),
            ("\"timelimit\": [NaN, null]", "header.timelimit"),
            ("\"timelimit\": [1e300, null]", "header.timelimit"),
            ("\"timelimit\": [\"5\", null]", "header.timelimit"),
            ("\"ignore_result\": 1", "header.ignore_result"), ("\"root_id\": 1", "header.root_id"),
            ("\"parent_id\": []", "header.parent_id"), ("\"group\": true", "header.group"),
        ])
    func headers(_ header: String, _ code: String) throws {
        let error = try #require(failure(envelope(headers: header)))
        #expect(error.code == code)
        #expect(error.id == "i")
        #expect(error.name == "t")
    }

    @Test(
        "a message needs an id and a name",
        arguments: [
            (nil, "header.id"), ("\"\"", "header.id"), ("5", "header.id"), ("null", "header.id"),
            ("\"\(String(repeating: "x", count: 256))\"", "header.id"),
        ] as [(String?, String)])
    func ids(_ id: String?, _ code: String) {
        let error = failure(envelope(id: id))
        #expect(error?.code == code)
        #expect(error?.id == nil)
        #expect(error?.name == "t")
        #expect(failure(envelope(task: "5"))?.code == "header.task")
        #expect(failure(envelope(task: "\"\""))?.id == "i")
        #expect(failure(envelope(task: nil))?.code == "header.task")
        #expect(failure(envelope(task: nil))?.id == "i")
        #expect(failure(envelope(id: "\"\(String(repeating: "x", count: 255))\"")) == nil)
    }

    @Test(
        "a body that does not fit is refused by name",
        arguments: [
            ("", "body.json"), ("nonsense", "body.json"), ("[[], {}", "body.json"),
            ("{}", "body.shape"),
            ("[]", "body.shape"), ("[[], {}]", "body.shape"), ("[[], {}, {}, {}]", "body.shape"),
            ("[1, {}, {}]", "body.args"), ("[null, {}, {}]", "body.args"),
            ("[[], null, {}]", "body.kwargs"),
            ("[[], [], {}]", "body.kwargs"), ("[[], {}, 5]", "body.embed"),
            ("[[{\"__type__\": \"set\", \"__value__\": []}], {}, {}]", "body.type"),
            ("[[], {\"a\": [{\"__type__\": \"datetime\", \"__value__\": 5}]}, {}]", "body.type"),
            ("[[\"\\ud800\"], {}, {}]", "body.json"),
        ])
    func bodies(_ body: String, _ code: String) throws {
        let error = try #require(failure(envelope(body: body)))
        #expect(error.code == code)
        #expect(error.id == "i")
        #expect(error.name == "t")
    }

    @Test("an object with __type__ and other keys is an ordinary object")
    func untyped() throws {
        let raw = envelope(
            body: "[[{\"__type__\": \"set\", \"x\": 1}, {\"__type__\": \"set\"}], {}, {}]")
        #expect(failure(raw) == nil)
    }

    @Test("only JSON in UTF-8 is ever decoded")
    func contentTypes() {
        for type in [
            "application/x-python-serialize", "application/x-yaml", "application/x-msgpack",
            "application/data", "text/plain", "",
        ] {
            #expect(failure(envelope(contentType: "\"\(type)\""))?.code == "body.content_type")
        }
        #expect(failure(envelope(contentType: nil))?.code == "body.content_type")
        #expect(failure(envelope(contentType: "5"))?.code == "body.content_type")
        var text = String(decoding: envelope(), as: UTF8.self)
        text.replace(
            "\"content-type\"", with: "\"content-encoding\": \"latin-1\", \"content-type\"")
        #expect(failure([UInt8](text.utf8))?.code == "body.content_encoding")
        text.replace("latin-1", with: "UTF-8")
        #expect(failure([UInt8](text.utf8)) == nil)
    }

    @Test("wrong base64 is refused, and plain bodies are read")
    func base64() throws {
        var text = String(decoding: envelope(), as: UTF8.self)
        text.replace("W1td", with: "W1t*")
        #expect(failure([UInt8](text.utf8))?.code == "body.base64")
        let plain = #"""
            {"body": "[[\"\\u00e9\"], {}, {}]", "content-type": "application/json",
             "headers": {"task": "t", "id": "i"}, "properties": {"body_encoding": "utf-8"}}
            """#
        #expect(try message([UInt8](plain.utf8)).body(limits: WireLimits()).args == ["é"])
        let missing = plain.replacing(#""body_encoding": "utf-8""#, with: "")
        #expect(try message([UInt8](missing.utf8)).body(limits: WireLimits()).args == ["é"])
        let none = plain.replacing("\"body\"", with: "\"nobody\"")
        #expect(failure([UInt8](none.utf8))?.code == "body.missing")
        let wrong = plain.replacing(#""[[\"\\u00e9\"], {}, {}]""#, with: "[[], {}, {}]")
        #expect(failure([UInt8](wrong.utf8))?.code == "body.shape")
    }

    @Test("an envelope of 20 MB is refused before it is looked at")
    func large() {
        let raw = [UInt8](repeating: UInt8(ascii: "["), count: 20 * 1024 * 1024)
        let started = ContinuousClock.now
        #expect(failure(raw)?.code == "envelope.too_large")
        #expect(ContinuousClock.now - started < .milliseconds(100))
    }

    @Test("nesting of 10,000 levels is refused, in the envelope and in the body")
    func deep() throws {
        let nested = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        let inBody = try #require(failure(envelope(body: "[[\(nested)], {}, {}]")))
        #expect(inBody.code == "body.depth")
        #expect(inBody.id == "i")
        let inHeader = try #require(failure(envelope(headers: "\"stamps\": \(nested)")))
        #expect(inHeader.code == "envelope.depth")
        #expect(inHeader.id == "i")
        #expect(failure([UInt8](nested.utf8))?.code == "envelope.depth")
    }

    @Test("numbers without a finite value are read and passed on")
    func notFinite() throws {
        let raw = envelope(headers: "\"odd\": NaN", body: "[[NaN, Infinity, -Infinity], {}, {}]")
        let message = try message(raw)
        let args = try message.body(limits: WireLimits()).args
        #expect(args[0].doubleValue?.isNaN == true)
        #expect(args[2].doubleValue == -.infinity)
        let again = try message.retried(
            retries: 1, eta: nil, adding: nil, at: Date(timeIntervalSince1970: 0))
        #expect(String(decoding: again, as: UTF8.self).contains("\"odd\": NaN"))
    }

    @Test("a body that inflates beyond the limit is refused")
    func bomb() throws {
        var limits = WireLimits()
        limits.bodyBytes = 1000
        let raw = try GoldenFile.bytes("gzip")
        #expect(failure(raw) == nil)
        #expect(failure(raw, limits: limits)?.code == "body.too_large")
        limits.bodyBytes = 10
        #expect(failure(envelope(), limits: limits)?.code == "body.too_large")
    }

    @Test("compression is undone when it is zlib's, and refused by name when not")
    func compression() throws {
        let golden = String(decoding: try GoldenFile.bytes("gzip"), as: UTF8.self)
        func failure(_ method: String) -> MessageError? {
            JobModelTests.failure(
                [UInt8](golden.replacing("application/x-gzip", with: method).utf8))
        }
        for method in ["application/x-gzip", "gzip", "zlib"] {
            #expect(failure(method) == nil)
        }
        for method in ["application/x-bz2", "application/x-lzma", "brotli", "zstd", ""] {
            #expect(failure(method)?.code == "body.compression")
        }
        let plain = envelope(headers: "\"compression\": \"gzip\"")
        #expect(JobModelTests.failure(plain)?.code == "body.compression")
    }

    @Test("the id of a broken envelope is found when it stands before the break")
    func salvage() throws {
        let raw = try GoldenFile.bytes("args")
        let error = try #require(failure(Array(raw.dropLast(20))))
        #expect(error.code == "envelope.json")
        #expect(error.id == "golden-0001")
        #expect(error.name == "golden.add")
        #expect(failure(Array(raw.prefix(100)))?.id == nil)
    }

    @Test("times without an offset are UTC, and microseconds are kept")
    func times() throws {
        let message = try message(
            envelope(
                headers:
                    "\"eta\": \"2026-01-02T03:04:05.000007\", \"expires\": \"2026-01-02T04:04:05+01:00\""
            ))
        let eta = try #require(message.eta)
        #expect(abs(eta.timeIntervalSince1970 - 1_767_323_045.000_007) < 1e-6)
        #expect(message.expires == Date(timeIntervalSince1970: 1_767_323_045))
    }

    @Test("priority is clamped, and what is no number counts as none")
    func priorities() throws {
        for (text, value) in [
            ("-1", 0), ("3", 3), ("10", 9), ("1e300", 9), ("NaN", 0), ("\"5\"", 0), ("null", 0),
            ("true", 0),
        ] {
            let message = try message(envelope(properties: "\"priority\": \(text)"))
            #expect(message.priority.value == value, "\(text)")
        }
    }

    @Test("a time limit of zero means none")
    func timeLimits() throws {
        let message = try message(envelope(headers: "\"timelimit\": [0, 1.5]"))
        #expect(message.hardTimeLimit == nil)
        #expect(message.softTimeLimit == .seconds(1.5))
    }
}
