import Foundation
import Testing

@testable import JobModel

/// Messages and results of our own making, for Python to read.
struct EncodedSample: Sendable {
    let name: String
    let bytes: [UInt8]

    static func all() throws -> [EncodedSample] { try messages() + results() }

    private struct Values: Codable {
        var when = Date(timeIntervalSince1970: 1_577_934_245.5)
        var price = Decimal(sign: .plus, exponent: -2, significand: 110)
        var key = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5))
        var text = Data("é".utf8)
        var blob = Data([0xff, 0])
        var odd = [Double.nan, .infinity, -.infinity]
        var words = "Grüße, 世界 🚀 \"\\\n\u{7f}"
    }

    /// Each is for a task that returns its arguments.
    private static func messages() throws -> [EncodedSample] {
        func sample(_ name: String, _ edit: (inout OutgoingMessage) -> Void = { _ in }) throws
            -> EncodedSample
        {
            let kwargs = try JSONValue(encoding: Values()).objectValue ?? JSONObject()
            var message = OutgoingMessage(
                id: JobID("sample-\(name)"), name: "sample.echo",
                body: MessageBody(args: [1, "two", [3.5, nil]], kwargs: kwargs), queue: .celery)
            edit(&message)
            let bytes = message.encoded(origin: "gen1@test", deliveryTag: "tag-\(name)")
            return EncodedSample(name: "message-\(name)", bytes: bytes)
        }
        let late = Date(timeIntervalSince1970: 4_000_000_000)
        return try [
            sample("plain"),
            sample("priority") { $0.priority = Priority(9) },
            sample("eta") { $0.eta = Date(timeIntervalSince1970: 1_000_000_000.25) },
            sample("expires") { $0.expires = late },
            sample("expired") { $0.expires = Date(timeIntervalSince1970: 1_000_000_000) },
            sample("limits") {
                $0.hardTimeLimit = .seconds(60)
                $0.softTimeLimit = .seconds(45.5)
            },
            sample("headers") { $0.headers = ["trace": "abc", "nested": ["a": [1, 1.0]]] },
            sample("family") {
                $0.rootID = "root"
                $0.parentID = "parent"
            },
            again(sample("retried")), marked(sample("redelivered")),
        ]
    }

    private static func again(_ sample: EncodedSample) throws -> EncodedSample {
        let report = FailureReport(code: "c", type: "T", message: "m")
        let now = Date(timeIntervalSince1970: 1_000_000_000)
        let bytes = try message(sample.bytes).retried(retries: 1, eta: now, adding: report, at: now)
        return EncodedSample(name: sample.name, bytes: bytes)
    }

    private static func marked(_ sample: EncodedSample) throws -> EncodedSample {
        EncodedSample(name: sample.name, bytes: try message(sample.bytes).redelivered())
    }

    private static func results() throws -> [EncodedSample] {
        let now = Date(timeIntervalSince1970: 1_800_000_000.25)
        let report = FailureReport(
            code: "c", type: "DiskError", message: "the disk is full", pythonType: .valueError)
        let unknown = FailureReport(
            code: "c", type: "T", message: "no such job", pythonType: .notRegistered)
        let values = try JSONValue(encoding: Values())
        func of(_ id: String) throws -> JobMessage {
            try message(envelope(task: "\"sample.task\"", id: "\"\(id)\""))
        }
        let records: [ResultRecord] = [
            .success(values, of: try of("success"), at: now),
            .failure(report, of: try of("failure"), at: now),
            .failure(unknown, of: try of("unknown"), at: now),
            .failure(report, id: JobID("undecodable"), name: nil, at: now),
            .retry(report, of: try of("retry")),
            .revoked("expired", of: try of("revoked"), at: now),
        ]
        return records.map { EncodedSample(name: "result-\($0.id)", bytes: $0.encoded()) }
    }
}

@Suite("Samples for Python")
struct EncodedSampleTests {
    /// With `ENCODED_SAMPLES` set to a folder, leaves them there for `scripts/check-encoded.py`.
    @Test("every sample is JSON, and every message among them can be read")
    func samples() throws {
        let folder = ProcessInfo.processInfo.environment["ENCODED_SAMPLES"]
        for sample in try EncodedSample.all() {
            #expect(throws: Never.self) { try JSONValue(parsing: sample.bytes) }
            if sample.name.hasPrefix("message-") { #expect(failure(sample.bytes) == nil) }
            guard let folder else { continue }
            let file = URL(filePath: folder).appending(path: sample.name + ".json")
            try Data(sample.bytes).write(to: file)
        }
    }
}
