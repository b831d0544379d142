import Foundation
import Testing

@testable import JobModel

@Suite("Codable over JSONValue")
struct JSONCodingTests {
    private struct Order: Codable, Equatable {
        enum Kind: String, Codable { case new, old }
        struct Line: Codable, Equatable {
            var article: String
            var count: Int8
            var price: Decimal
        }
        var id: Int
        var kind: Kind
        var at: Date
        var key: UUID
        var blob: Data
        var text: Data
        var link: URL
        var lines: [Line]
        var tags: [String: Double]
        var note: String?
        var big: UInt64
        var extra: JSONValue
        var pair: [Int?]
        var ratio: Float
    }

    private let order = Order(
        id: -5, kind: .old, at: Date(timeIntervalSince1970: 1_577_934_245.000_006), key: UUID(),
        blob: Data([0xff, 0]), text: Data("é".utf8), link: URL(filePath: "/tmp/x"),
        lines: [.init(article: "a", count: 127, price: 1.25)], tags: ["x": 0.1, "y": .infinity],
        note: nil, big: .max, extra: ["k": [1, nil]], pair: [1, nil], ratio: 0.1)

    @Test("everything that is encoded is decoded to the same")
    func roundTrip() throws {
        let json = try JSONValue(encoding: order)
        #expect(try json.decoded(as: Order.self) == order)
        let read = try JSONValue(parsing: json.encoded())
        #expect(try read.decoded(as: Order.self) == order)
        #expect(json["note"] == nil)
        #expect(json["big"] == .number(JSONNumber(text: "18446744073709551615")))
        #expect(json["ratio"] == .number(JSONNumber(text: "0.1")))
    }

    @Test("values that JSON lacks are written as kombu writes them")
    func typed() throws {
        let id = try #require(UUID(uuidString: "00000000-0000-0000-0000-000000000005"))
        #expect(
            try JSONValue(encoding: Date(timeIntervalSince1970: 0))
                == ["__type__": "datetime", "__value__": "1970-01-01T00:00:00+00:00"])
        #expect(
            try JSONValue(encoding: id)
                == ["__type__": "uuid", "__value__": ["hex": "00000000000000000000000000000005"]])
        #expect(
            try JSONValue(encoding: [Decimal(string: "1.1")])
                == [["__type__": "decimal", "__value__": "1.1"]])
        #expect(
            try JSONValue(encoding: Data("abc".utf8)) == ["__type__": "bytes", "__value__": "abc"])
        #expect(
            try JSONValue(encoding: Data([0xff, 0]))
                == ["__type__": "base64", "__value__": "/wA="])
    }

    @Test(
        "a value that does not fit is named by its path and its kind",
        arguments: [
            ("id", "five", "id must be an integer, not a string"),
            ("id", 5.0, "id must be an integer, not a number with a fraction"),
            (
                "id", .number(JSONNumber(text: "9223372036854775808")),
                "id must be an integer from -9223372036854775808 to 9223372036854775807"
            ),
            ("at", "yesterday", "at must be a date and time in ISO 8601"),
            ("at", 5, "at must be a date and time, not an integer"),
            (
                "at",
                ["__type__": "uuid", "__value__": ["hex": "00000000000000000000000000000005"]],
                "at must be a date and time, not a UUID"
            ),
            (
                "at", ["__type__": "datetime", "__value__": "never"],
                "at has a __value__ that is no datetime"
            ),
            ("at", ["__type__": "moment", "__value__": "never"], "at has an unknown __type__"),
            ("key", "5", "key must be a UUID of 32 hexadecimal digits"),
            ("blob", "abc", "blob must be bytes, not a string"),
            ("lines", [:], "lines must be a list, not an object"),
            (
                "lines", [["article": 5, "count": 1, "price": 1]],
                "lines[0].article must be a string, not an integer"
            ),
            (
                "lines", [["article": "a", "count": 128, "price": 1]],
                "lines[0].count must be an integer from -128 to 127"
            ),
            ("lines", [5], "lines[0] must be an object, not an integer"),
            ("tags", ["x": nil], "tags.x must be a number, not null"),
            ("link", 5, "link must be a URL, not an integer"),
        ] as [(String, JSONValue, String)])
    func mismatches(_ key: String, _ value: JSONValue, _ sentence: String) throws {
        var members = try #require(try JSONValue(encoding: order).objectValue)
        members[key] = value
        let decoded = try? JSONValue.object(members).decoded(as: Order.self)
        #expect(decoded == nil)
        do {
            _ = try PayloadDecoder.decode(Order.self, args: [], kwargs: members)
        } catch {
            let words = sentence.split(separator: " ", maxSplits: 1)
            #expect(error.message == "argument \"\(words[0])\" \(words[1])")
            #expect(error.code == "wrong_type")
        }
    }

    @Test("a decimal keeps its digits, or is refused")
    func decimals() throws {
        let exact = "12345678901234567890.123456789"
        #expect(try JSONValue(parsing: [UInt8](exact.utf8)).decoded() == Decimal(string: exact))
        let long = String(repeating: "1", count: 39)
        #expect(throws: DecodingError.self) {
            try JSONValue(parsing: [UInt8](long.utf8)).decoded(as: Decimal.self)
        }
        for text in ["1x", "", "Infinity", "sNaN", " 1"] {
            #expect(TypedForm.decimal(text) == nil, "\(text)")
        }
        #expect(TypedForm.decimal("1E+5") == 100_000)
    }

    @Test("nested containers and superclasses are encoded and decoded")
    func inheritance() throws {
        let value = Derived(base: 1, more: [[1, 2], []])
        let json = try JSONValue(encoding: value)
        #expect(json == ["more": [[1, 2], []], "super": ["base": 1]])
        let read = try json.decoded(as: Derived.self)
        #expect(read.base == 1)
        #expect(read.more == [[1, 2], []])
    }
}

private class Base: Codable {
    let base: Int
    init(base: Int) { self.base = base }
}

private final class Derived: Base {
    let more: [[Int]]

    enum Key: CodingKey { case more }

    init(base: Int, more: [[Int]]) {
        self.more = more
        super.init(base: base)
    }

    required init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        var lists = try container.nestedUnkeyedContainer(forKey: .more)
        var more: [[Int]] = []
        while !lists.isAtEnd {
            var list = try lists.nestedUnkeyedContainer()
            var items: [Int] = []
            while !list.isAtEnd { items.append(try list.decode(Int.self)) }
            more.append(items)
        }
        self.more = more
        try super.init(from: container.superDecoder())
    }

    override func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        var lists = container.nestedUnkeyedContainer(forKey: .more)
        for items in more {
            var list = lists.nestedUnkeyedContainer()
            for item in items { try list.encode(item) }
        }
        try super.encode(to: container.superEncoder())
    }
}
