import Foundation
import TestSupport
import Testing

@testable import JobModel

@Suite("JSONValue")
struct JSONValueTests {
    @Test("text is written as Python writes it")
    func written() {
        let value: JSONValue = [
            "a": [1, 2.5, true, nil], "é": "\u{1}\u{7f}🚀\"\\\n", "n": .number(JSONNumber(.nan)),
            "e": [], "o": [:],
        ]
        let python =
            #"{"a": [1, 2.5, true, null], "\u00e9": "\u0001\u007f\ud83d\ude80\"\\\n", "#
            + #""n": NaN, "e": [], "o": {}}"#
        #expect(String(decoding: value.encoded(.python), as: UTF8.self) == python)
        let compact = python.replacing(", ", with: ",").replacing(": ", with: ":")
        #expect(String(decoding: value.encoded(), as: UTF8.self) == compact)
    }

    @Test("any value that is written is read again as the same")
    func roundTrip() throws {
        var random = RepeatableRandom()
        for round in 0..<500 {
            let value = Self.randomValue(&random, depth: 4)
            for style in [JSONStyle.compact, .python] {
                #expect(
                    try JSONValue(parsing: value.encoded(style)) == value,
                    "seed \(random.seed), round \(round)")
            }
        }
    }

    private static func randomValue(_ random: inout RepeatableRandom, depth: Int) -> JSONValue {
        func text() -> String {
            let scalars = (0..<Int.random(in: 0...5, using: &random)).compactMap { _ in
                Unicode.Scalar(
                    UInt32.random(in: 0...0x10ffff, using: &random)
                        >> UInt32.random(in: 0...14, using: &random))
            }
            return String(String.UnicodeScalarView(scalars))
        }
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .number(JSONNumber(Int.random(in: .min ... .max, using: &random)))
        case 3:
            return .number(
                JSONNumber(Double(bitPattern: .random(in: .min ... .max, using: &random))))
        case 4: return .string(text())
        case 5:
            return .array(
                (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    randomValue(&random, depth: depth - 1)
                })
        default:
            var members = JSONObject()
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                members[text()] = randomValue(&random, depth: depth - 1)
            }
            return .object(members)
        }
    }

    @Test("an object behaves like an ordered dictionary, small or large")
    func object() {
        var random = RepeatableRandom()
        var object = JSONObject()
        var keys: [String] = []
        var values: [String: Int] = [:]
        for step in 0..<3000 {
            let key = "k\(Int.random(in: 0..<40, using: &random))"
            if Int.random(in: 0..<3, using: &random) == 0 {
                object[key] = nil
                keys.removeAll { $0 == key }
                values[key] = nil
            } else {
                object[key] = .number(JSONNumber(step))
                if values.updateValue(step, forKey: key) == nil { keys.append(key) }
            }
            #expect(object.keys == keys, "seed \(random.seed)")
            #expect(object.count == keys.count)
            #expect(object[key]?.intValue == values[key], "seed \(random.seed)")
        }
        #expect(object.map { $0.key } == keys)
    }

    @Test("equality ignores the order of keys, and only that")
    func equality() {
        #expect(JSONValue.object(["a": 1, "b": 2]) == ["b": 2, "a": 1])
        #expect(
            JSONValue.object(["a": 1, "b": 2]).hashValue
                == JSONValue.object(["b": 2, "a": 1]).hashValue)
        #expect(JSONValue.object(["a": 1]) != ["a": 2])
        #expect(JSONValue.object(["a": 1]) != ["a": 1, "b": 2])
        #expect(JSONValue.string("\u{e9}") != .string("e\u{301}"))
        #expect(JSONValue.number(JSONNumber(text: "1.0")) != 1)
        #expect(JSONValue.null != false)
    }

    @Test("a million distinct keys take no more than linear time")
    func manyKeys() throws {
        let text = "{" + (0..<200_000).map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        let started = ContinuousClock.now
        let value = try JSONValue(parsing: [UInt8](text.utf8))
        #expect(value.objectValue?.count == 200_000)
        #expect(ContinuousClock.now - started < .seconds(20))
    }

    @Test("accessors give the value of the kind asked for, and nothing else")
    func accessors() {
        #expect(JSONValue.null.isNull)
        #expect(JSONValue.bool(true).boolValue == true)
        #expect((7 as JSONValue).intValue == 7)
        #expect((7.0 as JSONValue).intValue == nil)
        #expect((7 as JSONValue).doubleValue == 7)
        #expect(("x" as JSONValue).stringValue == "x")
        #expect((["x"] as JSONValue).arrayValue == ["x"])
        #expect((["k": "x"] as JSONValue)["k"] == "x")
        #expect(("x" as JSONValue)["k"] == nil)
        #expect(JSONValue.null.intValue == nil)
        #expect(JSONNumber(text: "99999999999999999999").intValue == nil)
        #expect(JSONNumber(text: "NaN").doubleValue.isNaN)
        #expect(JSONNumber(-Double.infinity).text == "-Infinity")
    }

    @Test("other coders can write and read it")
    func codable() throws {
        let value: JSONValue = ["a": [1, 2.5, true, nil, "x"], "b": [:]]
        let data = try JSONEncoder().encode(value)
        #expect(try JSONDecoder().decode(JSONValue.self, from: data) == value)
        #expect(try value.decoded(as: JSONValue.self) == value)
        #expect(try JSONValue(encoding: value) == value)
    }
}
