import Foundation
import Testing

@testable import JobModel

@Suite("The tick that a message was sent for")
struct TickOriginTests {
    private let due = Date(timeIntervalSince1970: 1_800_000_060)

    private func raw(
        _ headers: JSONObject, _ change: (inout OutgoingMessage) -> Void = { _ in }
    ) -> [UInt8] {
        var message = OutgoingMessage(
            id: JobID("me"), name: "job", body: MessageBody(args: [], kwargs: [:]), queue: .celery)
        message.headers = headers
        change(&message)
        return message.encoded(origin: "test", deliveryTag: "tag")
    }

    /// What the scanner finds, after checking that the whole parse finds the same.
    private func tick(_ raw: [UInt8]) throws -> TickOrigin? {
        let scanned = try JobMessage(decoding: raw, limits: WireLimits(), scanning: true)
        let parsed = try JobMessage(decoding: raw, limits: WireLimits(), scanning: false)
        #expect(scanned.tick == parsed.tick)
        return scanned.tick
    }

    @Test("is read from two headers, also when they are written with escapes or come twice")
    func read() throws {
        for entry in ["sla-sweep", "größe", "line\nfeed \"quoted\" \\", "\u{0}"] {
            let tick = TickOrigin(entry: entry, dueAt: due)
            #expect(try self.tick(raw(tick.headers)) == tick)
        }
        let text = String(
            decoding: raw(TickOrigin(entry: "a", dueAt: due).headers), as: UTF8.self)
        let twice = text.replacing(
            "\"backhaul_schedule\": \"a\"",
            with: "\"backhaul_schedule\": \"a\", \"backhaul_schedule\" : \"b\"")
        #expect(try tick(Array(twice.utf8))?.entry == "b")
        let spaced = text.replacing("\"backhaul_schedule\": ", with: "\"backhaul_schedule\" \n : ")
        #expect(try tick(Array(spaced.utf8))?.entry == "a")
    }

    @Test("has milliseconds, and any offset")
    func dates() throws {
        for (text, seconds) in [
            ("2027-01-15T08:01:00.000+00:00", 0.0), ("2027-01-15T09:01:00.25+01:00", 0.25),
            ("2027-01-15T08:01:00Z", 0),
        ] {
            let found = try tick(
                raw(["backhaul_schedule": "a", "backhaul_tick_due_at": .string(text)]))
            #expect(found?.dueAt == due.addingTimeInterval(seconds))
        }
    }

    @Test(
        "is none when a header is missing, of another type, too long or no date, or only alike",
        arguments: [
            ["backhaul_schedule": "a"], ["backhaul_tick_due_at": "2027-01-15T08:01:00Z"],
            ["backhaul_schedule": nil, "backhaul_tick_due_at": "2027-01-15T08:01:00Z"],
            ["backhaul_schedule": "a", "backhaul_tick_due_at": "soon"],
            ["backhaul_schedule": "a", "backhaul_tick_due_at": 1_800_000_060],
            ["backhaul_schedule": ["a": [1]], "backhaul_tick_due_at": "2027-01-15T08:01:00Z"],
            ["xackhaul_schedule": "a", "backhaul_tick_due_at": "2027-01-15T08:01:00Z"],
            ["backhaul_schedule": "a", "xxxxhaul_tick_due_at": "2027-01-15T08:01:00Z"],
            ["backhaul_schedule": "", "backhaul_tick_due_at": "2027-01-15T08:01:00Z"],
        ] as [JSONObject])
    func none(_ headers: JSONObject) throws {
        #expect(try tick(raw(headers)) == nil)
    }

    @Test("stays with a message that is tried again or put back")
    func stays() throws {
        let origin = TickOrigin(entry: "a", dueAt: due)
        let message = try JobMessage(decoding: raw(origin.headers), limits: WireLimits())
        let retried = try message.retried(retries: 1, eta: due, adding: nil, at: due)
        #expect(try tick(retried) == origin)
        #expect(try tick(try message.redelivered(countingDeathOf: "w")) == origin)
    }

    @Test("passes to whatever takes the job's place: the job, the last step, the body")
    func replaced() throws {
        let origin = TickOrigin(entry: "a", dueAt: due)
        let message = try JobMessage(decoding: raw(origin.headers), limits: WireLimits())
        let task = try CanvasTask(reading: message, try message.body(limits: WireLimits()))
        let publisher = CanvasPublisher(rules: CanvasRules(), task: task, now: due)
        let steps = [Signature("one"), Signature("two").headers(["mine": 1])]
        let single = try publisher.conclusion(ofReplacing: task, with: steps[1])
        let sent = try #require(single.aftermath.publication.messages.first)
        #expect(sent.id == JobID("me"))
        #expect(sent.headers["mine"] == 1)
        #expect(try tick(sent.encoded(origin: "", deliveryTag: "")) == origin)
        let chain = try publisher.conclusion(ofReplacing: task, with: .chain(steps))
        let first = try #require(chain.aftermath.publication.messages.first)
        #expect(try tick(first.encoded(origin: "", deliveryTag: "")) == nil)
        let last = try #require(first.body.embed["chain"]?.arrayValue?.first)
        #expect(last["options"]?["task_id"] == "me")
        #expect(last["options"]?["headers"]?["backhaul_schedule"] == "a")
    }
}
