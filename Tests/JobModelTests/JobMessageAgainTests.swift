import Foundation
import Testing

@testable import JobModel

@Suite("A message for another attempt")
struct JobMessageAgainTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let due = Date(timeIntervalSince1970: 1_800_000_060.5)
    private let report = FailureReport(code: "timeout", type: "URLError", message: "too \"slow\"")

    @Test("only the retry's own headers change", arguments: GoldenFile.decodable)
    func unchanged(_ file: GoldenFile) throws {
        let message = try message(file.bytes)
        let again = try message.retried(
            retries: message.retries + 1, eta: due, adding: report, at: now)
        var before = try #require(try JSONValue(parsing: file.bytes).objectValue)
        var after = try #require(try JSONValue(parsing: again).objectValue)
        let read = try JobModelTests.message(again)
        #expect(read.retries == message.retries + 1)
        #expect(read.eta == due)
        #expect(try read.body(limits: WireLimits()) == message.body(limits: WireLimits()))
        #expect(read.errorHistory().count == 1)
        if file.name.hasPrefix("protocol-1") {
            before["body"] = nil
            after["body"] = nil
        } else {
            #expect(read.parentID == message.id.text)
        }
        for key in ["retries", "eta", "parent_id", "backhaul_errors", "compression"] {
            before["headers"] = before["headers"].map { $0.without(key) }
            after["headers"] = after["headers"].map { $0.without(key) }
        }
        #expect(JSONValue.object(after) == .object(before))
    }

    @Test("our retry has the headers of Celery's own")
    func likeCelery() throws {
        let celery = try message(GoldenFile.bytes("retried"))
        #expect(celery.retries == 1)
        #expect(celery.parentID == celery.id.text)
        let ours = try message(celery.retried(retries: 2, eta: due, adding: nil, at: now))
        #expect(ours.parentID == celery.parentID)
        #expect(ours.errorHistory().isEmpty)
        #expect(
            String(decoding: ours.raw, as: UTF8.self).contains(
                "\"eta\": \"2027-01-15T08:01:00.500000+00:00\""))
    }

    @Test("a snooze counts no attempt and keeps the parent")
    func snooze() throws {
        let message = try message(envelope(headers: "\"parent_id\": \"p\", \"retries\": 2"))
        let again = try JobModelTests.message(
            message.retried(retries: 2, eta: due, adding: nil, at: now))
        #expect(again.retries == 2)
        #expect(again.parentID == "p")
        #expect(again.eta == due)
        let ready = try JobModelTests.message(
            again.retried(retries: 2, eta: nil, adding: nil, at: now))
        #expect(ready.eta == nil)
    }

    @Test("the error history keeps the newest entries, oldest first")
    func history() throws {
        var message = try message(envelope())
        for attempt in 0..<30 {
            let failure = FailureReport(code: "c\(attempt)", type: "T", message: "m")
            message = try JobModelTests.message(
                message.retried(retries: attempt + 1, eta: nil, adding: failure, at: now))
        }
        let history = message.errorHistory()
        #expect(history.count == JobMessage.maximumErrors)
        #expect(history.first?["code"] == "c5")
        #expect(
            history.last == [
                "at": "2027-01-15T08:00:00+00:00", "attempt": 30, "code": "c29", "type": "T",
                "message": "m",
            ])
    }

    @Test("numbers and unknown parts are passed on to the letter")
    func exactness() throws {
        let raw = envelope(
            headers:
                "\"a\": 1.10, \"b\": 1e400, \"c\": 123456789012345678901234567890, \"\\u00e9\": {\"z\": [{}]}",
            properties: "\"priority\": 7, \"future\": [1.0, null]")
        let again = try message(raw).retried(retries: 1, eta: nil, adding: nil, at: now)
        let text = String(decoding: again, as: UTF8.self)
        for part in [
            "\"a\": 1.10", "\"b\": 1e400", "\"c\": 123456789012345678901234567890",
            "\"\\u00e9\": {\"z\": [{}]}", "\"priority\": 7", "\"future\": [1.0, null]",
            "\"delivery_tag\": \"d\"",
        ] {
            #expect(text.contains(part), "\(part)")
        }
    }

    @Test("a redelivered message differs only by the two marks", arguments: GoldenFile.decodable)
    func redelivered(_ file: GoldenFile) throws {
        let again = try message(file.bytes).redelivered()
        let value = try JSONValue(parsing: again)
        #expect(value["headers"]?["redelivered"] == true)
        #expect(value["properties"]?["delivery_info"]?["redelivered"] == true)
        let text = String(decoding: again, as: UTF8.self)
        let plain = text.replacing(", \"redelivered\": true", with: "").replacing(
            "\"redelivered\": true", with: "")
        #expect(plain == String(decoding: file.bytes, as: UTF8.self))
        #expect(try message(again).redelivered() == again)
    }

    @Test("parts that are absent stay absent when a message is marked")
    func absent() throws {
        let text = #"{"headers": {"task": "t", "id": "i"}, "properties": {}}"#
        let again = try message([UInt8](text.utf8)).redelivered()
        #expect(
            String(decoding: again, as: UTF8.self)
                == #"{"headers": {"task": "t", "id": "i", "redelivered": true}, "properties": {}}"#)
    }
}

extension JSONValue {
    fileprivate func without(_ key: String) -> JSONValue {
        guard case .object(var members) = self else { return self }
        members[key] = nil
        return .object(members)
    }
}
