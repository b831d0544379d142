import Broker
import Foundation
import JobModel
import Testing

@testable import Backhaul

@Suite("One entry in full")
struct GraveDetailTests {
    private func buried(_ raw: [UInt8], history: [JSONValue] = []) -> BuriedMessage {
        let delivery = Delivery(
            raw: raw, lease: Lease(tag: "h.1.a-1-1"), queue: "mail", step: 1,
            reservedAt: Date(timeIntervalSince1970: 0))
        let report = FailureReport(code: "poison.deaths", type: "Poison", message: "two\nlines")
        return BuriedMessage(
            delivery, id: JobID("m1"), name: "test.job", because: report, attempts: 2,
            history: history, at: Date(timeIntervalSince1970: 1_795_510_800))
    }

    private func json(_ detail: GraveDetail) throws -> JSONValue {
        try JSONValue(parsing: Array(try JSONEncoder().encode(detail)))
    }

    @Test("errors of every attempt, workers that died, headers and arguments are shown")
    func whole() throws {
        var message = OutgoingMessage(
            id: JobID("m1"), name: "test.job",
            body: MessageBody(args: [1], kwargs: ["amount": 12]), queue: "mail")
        message.headers[JobMessage.deathsHeader] = ["web01.1.a", "web02.2.b"]
        let first: JSONValue = [
            "at": "2026-11-24T09:00:00", "attempt": 1, "code": "timeout", "type": "T",
            "message": "too long",
        ]
        let detail = GraveDetail(
            buried(message.encoded(origin: "o", deliveryTag: "t"), history: [first]))
        let text = detail.text
        for line in [
            "attempt 1 2026-11-24T09:00:00 timeout: T: too long",
            "attempt 2 2026-11-24T09:00:00Z poison.deaths: Poison: two lines", "died    web01.1.a",
            "died    web02.2.b", "kwargs  {\"amount\": 12}", "header  origin: \"o\"",
        ] { #expect(text.contains(line), "\(line)") }
        let json = try json(detail)
        #expect(json["deaths"] == ["web01.1.a", "web02.2.b"])
        #expect(json["errors"]?.arrayValue?.count == 2)
        #expect(json["args"] == [1])
    }

    @Test("a message that cannot be read is shown as it is, with the reason")
    func unreadable() throws {
        let detail = GraveDetail(buried([0xff, 0xfe]))
        #expect(detail.text.contains("base64: //4="))
        #expect(detail.text.contains("unread  envelope."))
        #expect(try json(detail)["unreadable"] != nil)
        #expect(try json(detail)["args"] == nil)
    }
}
