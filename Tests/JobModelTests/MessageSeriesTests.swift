import Foundation
import Testing

@testable import JobModel

@Suite("MessageSeries")
struct MessageSeriesTests {
    private struct Charge: Codable {
        var invoice = 7
        var currency = "EUR"
        var rate = 1.5
        var isLate = true
        var note: String?
    }

    private struct Odd: Codable {
        var when = Date(timeIntervalSince1970: 1_577_934_245.5)
        var blob = Data([0xff, 0])
        var words = ["Grüße, 世界 🚀", "\"\\\n\u{7f}"]
        var inner = Charge()
        var ratio = Double.nan
        var small: Int8 = -5
        var none: Int?
    }

    /// Writes a name again, as nothing that the compiler makes would.
    private struct Twice: Encodable {
        enum CodingKeys: CodingKey { case a, b }

        func encode(to encoder: any Encoder) throws {
            var members = encoder.container(keyedBy: CodingKeys.self)
            try members.encode(1, forKey: .a)
            try members.encodeNil(forKey: .b)
            try members.encode("2", forKey: .a)
        }
    }

    /// Leaves a container open and goes on.
    private struct Nested: Encodable {
        enum CodingKeys: CodingKey { case a, b }

        func encode(to encoder: any Encoder) throws {
            var members = encoder.container(keyedBy: CodingKeys.self)
            var items = members.nestedUnkeyedContainer(forKey: .a)
            try items.encode(1)
            try members.encode(2, forKey: .b)
            try items.encode(3)
        }
    }

    private class Parent: Encodable {
        private let a = 1
    }

    private final class Child: Parent {
        private enum CodingKeys: CodingKey { case b }

        override func encode(to encoder: any Encoder) throws {
            try super.encode(to: encoder)
            var members = encoder.container(keyedBy: CodingKeys.self)
            try members.encode("it's", forKey: .b)
        }
    }

    /// Encodes as what it wraps.
    private struct Wrapper: Encodable {
        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            try value.encode(Charge())
        }
    }

    private struct Nothing: Codable {}

    private static let many = Dictionary(
        uniqueKeysWithValues: (0..<40).map { ("name \($0)", $0) })

    private static func pattern(_ edit: (inout OutgoingMessage) -> Void = { _ in })
        -> OutgoingMessage
    {
        var pattern = OutgoingMessage(
            id: JobID(""), name: "tést", body: MessageBody(args: [], kwargs: [:]), queue: "mail")
        edit(&pattern)
        return pattern
    }

    /// What a series makes of `payloads`, and what is made of each alone.
    private func compare<Payload: Encodable>(
        _ payloads: [Payload], _ pattern: OutgoingMessage = pattern(), id: String = "i\"é",
        _ place: SourceLocation = #_sourceLocation
    ) throws {
        let keywords = KeywordsWriter(for: Payload.self)
        var series = MessageSeries(like: pattern, expecting: payloads.count)
        var alone: [OutgoingMessage] = []
        for (number, payload) in payloads.enumerated() {
            let kwargs = try #require(try JSONValue(encoding: payload).objectValue)
            if try !keywords.write(payload) { keywords.write(kwargs) }
            let id = JobID(id + String(number))
            series.append(id, keywords)
            var message = pattern
            message.id = id
            message.body = MessageBody(args: [], kwargs: kwargs)
            alone.append(message)
        }
        #expect(series.ids == alone.map(\.id), sourceLocation: place)
        let encoder = SeriesEncoder(series, origin: "gen1@here")
        var tags = FreshUUIDs()
        for (number, message) in alone.enumerated() {
            var bytes = Array("before".utf8)
            encoder.append(at: number, tags: &tags, to: &bytes)
            bytes.removeFirst(6)
            #expect(bytes.count == encoder.byteCount(at: number), sourceLocation: place)
            let tag = String(decoding: bytes.suffix(39).prefix(36), as: UTF8.self)
            #expect(UUID(uuidString: tag) != nil, sourceLocation: place)
            let expected = message.encoded(origin: "gen1@here", deliveryTag: tag)
            #expect(
                String(decoding: bytes, as: UTF8.self) == String(decoding: expected, as: UTF8.self),
                sourceLocation: place)
        }
    }

    @Test("each message is, byte for byte, what it would be alone")
    func usual() throws {
        var other = Charge(invoice: -1, currency: "it's \"x\"", rate: .infinity, isLate: false)
        other.note = String(repeating: "ö", count: 3000)
        try compare([Charge(), other, Charge(note: ""), Charge(), Charge(currency: "\u{1}")])
        try compare([Odd(), Odd(none: 1)])
        try compare([Nothing(), Nothing()])
    }

    @Test("a payload that encodes itself in another manner is no different")
    func unusual() throws {
        try compare([Twice(), Twice()])
        try compare([Nested()])
        try compare([Parent(), Child(), Parent(), Child()])
        try compare([Wrapper(), Wrapper()])
        try compare([Self.many, ["one": 1], ["two": 2, "one": 1], [:], Self.many])
        try compare([["é": "1"], ["e\u{301}": "2"], ["a'b\"\\": "3"]])
        try compare([["a": JSONValue.number(JSONNumber(text: "1e400"))], ["a": ["b": [nil]]]])
        let value: JSONValue = ["z": 1, "a": .number(JSONNumber(text: "1e400"))]
        try compare([value, value])
    }

    @Test("arguments are cut where they are too long to be shown", arguments: 1000...1040)
    func long(length: Int) throws {
        let text = String(repeating: "x", count: length - 20)
        try compare([["name": text]])
        try compare([[text: "some value"]])
        try compare([["name": text + "é"]])
    }

    @Test("what all have in common is in each")
    func common() throws {
        let pattern = Self.pattern {
            $0.priority = Priority(7)
            $0.expires = Date(timeIntervalSince1970: 1_900_000_000)
            $0.softTimeLimit = .milliseconds(1500)
            $0.ignoreResult = true
            $0.headers = ["trace": "\u{7f}", "id": "evil"]
            $0.origin = "elsewhere"
            $0.parentID = "p"
        }
        try compare([Charge(), Charge(invoice: 8)], pattern)
    }

    @Test("a payload without names has to be looked at as a value")
    func nameless() throws {
        #expect(try !KeywordsWriter(for: Int.self).write(7))
        #expect(try !KeywordsWriter(for: [Int].self).write([7]))
        #expect(try !KeywordsWriter(for: Date.self).write(Date()))
    }
}
