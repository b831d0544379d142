import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

/// No input crashes the worker, and no input is lost.
@Suite("Bad input")
struct BadInputTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let code: String
        let bytes: [UInt8]

        var testDescription: String { name }

        init(_ name: String, code: String, _ text: String) {
            self.name = name
            self.code = code
            bytes = Array(text.utf8)
        }
    }

    static func envelope(
        body: String, type: String = "application/json", task: String = "test.probe",
        encoding: String = "base64"
    ) -> String {
        """
        {"body": "\(body)", "content-encoding": "utf-8", "content-type": "\(type)", \
        "headers": {"lang": "py", "task": "\(task)", "id": "bad-1", "retries": 0}, \
        "properties": {"correlation_id": "bad-1", "delivery_tag": "t", \
        "delivery_info": {"exchange": "", "routing_key": "work"}, "priority": 0, \
        "body_encoding": "\(encoding)"}}
        """
    }

    static func encoded(_ body: String) -> String { Data(body.utf8).base64EncodedString() }

    static let nested =
        "[[" + String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        + "], {}, {}]"

    static let samples = [
        Sample("no JSON", code: "envelope.json", "\u{1}not json"),
        Sample("an empty string", code: "envelope.json", ""),
        Sample("wrong base64", code: "body.base64", envelope(body: "@@@@")),
        Sample("a body that is no list", code: "body.shape", envelope(body: encoded("{}"))),
        Sample(
            "pickle", code: "body.content_type",
            envelope(
                body: encoded("x"), type: "application/x-python-serialize")),
        Sample(
            "yaml", code: "body.content_type",
            envelope(
                body: encoded("x"), type: "application/x-yaml")),
        Sample("10,000 deep", code: "body.depth", envelope(body: encoded(nested))),
        Sample(
            "an unknown job", code: "job.unknown",
            envelope(
                body: encoded("[[], {}, {}]"), task: "nobody.knows")),
        Sample(
            "a mistyped argument", code: "payload.wrong_type",
            envelope(
                body: encoded("[[\"seven\"], {}, {}]"))),
        Sample(
            "NaN for an integer", code: "payload.wrong_type",
            envelope(
                body: encoded("[[NaN], {}, {}]"))),
        Sample(
            "one argument too many", code: "payload.unexpected_argument",
            envelope(
                body: encoded("[[1, 2], {}, {}]"))),
        Sample(
            "an unknown keyword", code: "payload.unexpected_argument",
            envelope(
                body: encoded("[[], {\"colour\": 1}, {}]"))),
        Sample(
            "a chain whose next step has no name", code: "canvas.malformed",
            envelope(
                body: encoded("[[1], {}, {\"chain\": [{\"args\": []}]}]"))),
        Sample("20 MB", code: "envelope.too_large", String(repeating: "x", count: 20_000_000)),
    ]

    @Test(
        "is quarantined with its reason and its bytes, and the worker goes on", arguments: samples)
    func quarantined(sample: Sample) async throws {
        let seen = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            seen.add(payload.number ?? -1)
            return .done
        }
        _ = try await fixture.raw.send(RedisCommand("LPUSH", "work", sample.bytes))
        try await fixture.broker.enqueue([fixture.message(7)])
        try await fixture.run {
            try await eventually(within: .seconds(20)) {
                let page = try await fixture.broker.buried(in: .quarantine, offset: 0, limit: 9)
                return page.total == 1 && seen.all == [7]
            }
        }
        let kept = try await fixture.broker.buried(in: .quarantine, offset: 0, limit: 9).items[0]
        #expect(kept.code == sample.code)
        #expect(kept.original == Data(sample.bytes))
        #expect(try await fixture.isIdle())
    }

    @Test("a message marked for another language runs: by Celery's protocol the mark is a label")
    func anotherLanguage() async throws {
        let seen = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            seen.add(payload.number ?? -1)
            return .done
        }
        let text = Self.envelope(body: Self.encoded("[[5], {}, {}]"))
            .replacingOccurrences(of: "\"lang\": \"py\"", with: "\"lang\": \"node\"")
        #expect(text.contains("node"))
        _ = try await fixture.raw.send(RedisCommand("LPUSH", "work", Array(text.utf8)))
        try await fixture.run { try await eventually { seen.all == [5] } }
    }

    @Test("two messages with one id both run: ids are the producer's to choose")
    func duplicateIDs() async throws {
        let seen = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            seen.add(payload.number ?? -1)
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(1)])
        try await fixture.run { try await eventually { seen.all == [1, 1] } }
    }

    @Test("random bytes on the list are all quarantined, none lost, none fatal")
    func fuzz() async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RepeatableRandom(seed: seed)
        let fixture = try await WorkerFixture { _, _ in .done }
        let valid = fixture.message(1).encoded(origin: "test", deliveryTag: "tag")
        let inputs = (0..<400).map { _ in random.mutation(of: valid) }
        for input in inputs {
            _ = try await fixture.raw.send(RedisCommand("LPUSH", "work", input))
        }
        try await fixture.run {
            try await eventually(within: .seconds(30), "seed \(seed)") {
                let waiting = try await fixture.broker.waiting(in: WorkerFixture.queue)
                let inFlight = try await fixture.broker.inFlight()
                return waiting.reduce(0, +) + inFlight == 0
            }
        }
        let quarantined = try await fixture.broker.buried(in: .quarantine, offset: 0, limit: 1)
            .total
        let delayed = try await fixture.broker.delayed()
        let done =
            (fixture.service.totals["succeeded"] ?? 0) + (fixture.service.totals["expired"] ?? 0)
        #expect(quarantined + delayed + done == inputs.count, "seed \(seed)")
        #expect(quarantined > 0, "seed \(seed)")
    }
}
