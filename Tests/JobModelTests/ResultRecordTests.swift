import Foundation
import Testing

@testable import JobModel

@Suite("ResultRecord")
struct ResultRecordTests {
    private let report = FailureReport(
        code: "x", type: "SomeError", message: "boom", pythonType: .valueError)

    private func golden(_ name: String) throws -> (JSONObject, Date) {
        let value = try JSONValue(parsing: GoldenFile.bytes(name))
        let date = (value["date_done"]?.stringValue).flatMap(WireDate.date)
        return (try #require(value.objectValue), date ?? Date(timeIntervalSince1970: 0))
    }

    private func message(_ id: String, headers: String = "") throws -> JobMessage {
        try JobModelTests.message(
            envelope(task: "\"golden.missing\"", id: "\"\(id)\"", headers: headers))
    }

    @Test("a success is, byte for byte, what Celery stores")
    func success() throws {
        for (name, id) in [
            ("result-success", "golden-success"), ("result-typed-result", "golden-typed"),
        ] {
            let (expected, date) = try golden(name)
            let result = try #require(expected["result"])
            let record = ResultRecord.success(result, of: try message(id), at: date)
            #expect(record.encoded() == (try GoldenFile.bytes(name)))
        }
    }

    @Test("written at once or as a JSON value, a record is the same")
    func bothWays() throws {
        let now = Date(timeIntervalSince1970: 1_785_542_400.25)
        let odd = "Zo\u{eb} \"quoted\" \\ \u{1f600}\n"
        for (group, parent, date, traceback) in [
            (nil, nil, nil, nil), ("g", nil, now, odd), (nil, "p", now, nil), (odd, odd, now, odd),
        ] as [(String?, String?, Date?, String?)] {
            let record = ResultRecord(
                state: .failure, id: JobID(odd), result: ["a": [1, .string(odd)], "b": nil],
                traceback: traceback, groupID: group, parentID: parent, dateDone: date,
                children: [[["x", nil], nil]])
            #expect(record.encoded() == record.json.encoded(.python))
        }
    }

    @Test("an expired task is, byte for byte, what Celery stores")
    func revoked() throws {
        let (_, date) = try golden("result-revoked")
        let record = ResultRecord.revoked("expired", of: try message("golden-revoked"), at: date)
        #expect(record.encoded() == (try GoldenFile.bytes("result-revoked")))
    }

    @Test("failures and retries are Celery's but for the traceback")
    func failures() throws {
        let (missing, date) = try golden("result-missing")
        let unknown = FailureReport(
            code: "x", type: "T", message: "no such job", pythonType: .notRegistered)
        var record = try object(.failure(unknown, of: try message("golden-missing"), at: date))
        #expect(record.keys == missing.keys)
        #expect(record["result"] == missing["result"])
        let (failure, _) = try golden("result-failure")
        record = try object(.failure(report, of: try message("golden-failure"), at: date))
        #expect(record.keys == failure.keys)
        #expect(
            record["result"] == [
                "exc_type": "ValueError", "exc_message": ["boom"], "exc_module": "builtins",
            ])
        let (retry, _) = try golden("result-retrying")
        record = try object(.retry(report, of: try message("golden-retry")))
        #expect(record.keys == retry.keys)
        #expect(record["status"] == "RETRY")
        #expect(record["date_done"] == .null)
        #expect(
            record["traceback"]
                == "Traceback (most recent call last):\n  File \"<backhaul>\", line 0, in golden.missing\nValueError: SomeError: boom\n"
        )
    }

    @Test("group and parent stand before the id, and only when there are any")
    func relatives() throws {
        let relative = try message("i", headers: "\"group\": \"g\", \"parent_id\": \"p\"")
        let record = try object(.success(1, of: relative, at: Date(timeIntervalSince1970: 0)))
        #expect(record.keys.suffix(3) == ["group_id", "parent_id", "task_id"])
        #expect(record["group_id"] == "g")
        #expect(record["parent_id"] == "p")
    }

    @Test("of a message that cannot be decoded, the id is enough")
    func idOnly() throws {
        let record = try object(
            .failure(report, id: JobID("i"), name: nil, at: Date(timeIntervalSince1970: 0)))
        #expect(record["task_id"] == "i")
        #expect(record["status"] == "FAILURE")
    }

    private func object(_ record: ResultRecord) throws -> JSONObject {
        try #require(try JSONValue(parsing: record.encoded()).objectValue)
    }
}
