import Foundation
import Testing

@testable import JobModel

@Suite("Golden files from Celery 5.7.0")
struct GoldenTests {
    @Test("there are enough of them to mean something")
    func count() {
        #expect(GoldenFile.decodable.count >= 35)
        #expect(GoldenFile.undecodable.count >= 6)
        #expect(GoldenFile.results.count >= 6)
    }

    @Test("headers decode to what Python reads", arguments: GoldenFile.decodable)
    func headers(_ file: GoldenFile) throws {
        let message = try message(file.bytes)
        let expected = file.expected
        #expect(message.raw == file.bytes)
        #expect(message.id.text == expected["id"]?.stringValue)
        #expect(message.name.text == expected["task"]?.stringValue)
        #expect(message.retries == expected["retries"]?.intValue)
        #expect(microseconds(message.eta) == expected["eta"]?.intValue)
        #expect(microseconds(message.expires) == expected["expires"]?.intValue)
        #expect(
            message.hardTimeLimit?.inSeconds == expected["timelimit"]?.arrayValue?[0].doubleValue)
        #expect(
            message.softTimeLimit?.inSeconds == expected["timelimit"]?.arrayValue?[1].doubleValue)
        #expect(message.ignoreResult == expected["ignore_result"]?.boolValue)
        #expect(message.rootID == expected["root_id"]?.stringValue)
        #expect(message.parentID == expected["parent_id"]?.stringValue)
        #expect(message.groupID == expected["group"]?.stringValue)
        #expect(message.priority == Priority(expected["priority"]?.intValue ?? 0))
    }

    @Test("bodies decode to what Python reads", arguments: GoldenFile.decodable)
    func bodies(_ file: GoldenFile) throws {
        let body = try message(file.bytes).body(limits: WireLimits())
        #expect(.array(body.args) == file.expected["args"])
        #expect(.object(body.kwargs) == file.expected["kwargs"])
        #expect(.object(body.embed) == file.expected["embed"])
    }

    @Test("what is not for us is refused by name", arguments: GoldenFile.undecodable)
    func refused(_ file: GoldenFile) throws {
        let error = try #require(failure(file.bytes))
        #expect(error.code == file.expected["error"]?.stringValue)
        #expect(error.id == file.expected["id"]?.stringValue)
        #expect(error.name == file.expected["task"]?.stringValue)
    }

    @Test("the scanner finds what the whole parse finds", arguments: GoldenFile.messages)
    func agreement(_ file: GoldenFile) throws {
        var fields = EnvelopeFields()
        let bytes = file.bytes
        let isOrdinary = EnvelopeScanner.read(bytes.span, depth: 128, into: &fields)
        guard file.name != "surrogate" else {
            #expect(!isOrdinary)
            return
        }
        try #require(isOrdinary, "the scanner gave up on a message of Celery's own")
        var parsed = try EnvelopeFields(JSONValue(parsing: file.bytes))
        #expect(fields.body.letters(in: file.bytes) == parsed.body.letters(in: file.bytes))
        fields.body.text = nil
        parsed.body.text = nil
        #expect(fields == parsed)
    }

    @Test("JSON that is read and written again is what Python wrote", arguments: GoldenFile.all)
    func rewritten(_ file: GoldenFile) throws {
        guard file.name != "surrogate" else { return }
        let text = try JSONValue(parsing: file.bytes).encoded(.python)
        #expect(
            String(decoding: text, as: UTF8.self) == String(decoding: file.bytes, as: UTF8.self))
    }

    @Test("kombu's typed values reach the payload")
    func typed() throws {
        struct Payload: Codable {
            let first: Date
            let second: UUID
        }
        struct Everything: Codable {
            let aware: Date
            let naive: Date
            let offset: Date
            let day: Date
            let price: Decimal
            let key: UUID
            let text: Data
            let blob: Data
        }
        let body = try message(GoldenFile.bytes("typed")).body(limits: WireLimits())
        let payload = try PayloadDecoder.decode(Payload.self, args: body.args, kwargs: [:])
        #expect(microseconds(payload.first) == 1_577_934_245_000_006)
        #expect(payload.second.uuidString == "00000000-0000-0000-0000-000000000005")
        var kwargs = body.kwargs
        kwargs["time"] = nil
        let all = try PayloadDecoder.decode(Everything.self, args: [], kwargs: kwargs)
        #expect(microseconds(all.aware) == 1_577_934_245_000_006)
        #expect(microseconds(all.naive) == 1_577_934_245_000_000)
        #expect(microseconds(all.offset) == 1_893_549_845_678_901)
        #expect(microseconds(all.day) == 1_582_934_400_000_000)
        #expect(all.price == Decimal(string: "1.10"))
        #expect(all.key == payload.second)
        #expect(all.text == Data("abc".utf8))
        #expect(all.blob == Data([0xff, 0x00]))
    }

    @Test("text survives exactly")
    func unicode() throws {
        let body = try message(GoldenFile.bytes("unicode")).body(limits: WireLimits())
        let text = try #require(body.args.first?.stringValue)
        #expect(
            Array(text.unicodeScalars)
                == Array(
                    "Grüße, 世界 🚀 \"quoted\" \\ \n\t\u{1}\u{7f} e\u{301}".unicodeScalars))
    }

    private func microseconds(_ date: Date?) -> Int? {
        date.map { Int(($0.timeIntervalSince1970 * 1e6).rounded()) }
    }
}

extension EncodedBody {
    /// The text of the body, wherever it is.
    func letters(in raw: [UInt8]) -> [UInt8]? {
        switch text {
        case .range(let range)?: Array(raw[range])
        case .value(let value)?: value.stringValue.map { Array($0.utf8) }
        case nil: nil
        }
    }
}
