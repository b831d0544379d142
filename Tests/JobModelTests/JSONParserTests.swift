import Foundation
import TestSupport
import Testing

@testable import JobModel

@Suite("JSONParser")
struct JSONParserTests {
    private func parse(_ text: String, depth: Int = 128) throws(JSONError) -> JSONValue {
        try JSONValue(parsing: [UInt8](text.utf8), depth: depth)
    }

    private func code(_ text: [UInt8], depth: Int = 128) -> JSONError.Code? {
        do throws(JSONError) {
            _ = try JSONValue(parsing: text, depth: depth)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(
        "what JSON allows is read",
        arguments: [
            ("null", JSONValue.null), (" true ", true), ("false", false), ("\"\"", ""),
            ("[]", []), ("[ ]", []), ("{}", [:]), ("{ }", [:]),
            ("[1,[2,{\"a\":[]}]]", [1, [2, ["a": []]]]),
            ("\t\r\n [1 , 2]\n", [1, 2]), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (#""\u00e9\u4E16\ud83d\ude80\u0000""#, "é世🚀\u{0}"), ("\"é世🚀\"", "é世🚀"),
        ] as [(String, JSONValue)])
    func accepted(_ text: String, _ value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test(
        "numbers keep their text",
        arguments: [
            "0", "-0", "1", "-1.5", "1e5", "1E+5", "1.0", "1.10", "0.1e-7", "NaN", "Infinity",
            "-Infinity", "1180591620717411303424", "1e400",
        ])
    func numbers(_ text: String) throws {
        #expect(try parse(text) == .number(JSONNumber(text: text)))
        #expect(try parse("[\(text), \(text)]").encoded() == [UInt8]("[\(text),\(text)]".utf8))
    }

    @Test(
        "what JSON forbids is refused",
        arguments: [
            "", " ", "nul", "nulll", "True", "+1", "01", "-", "1.", ".5", "1e", "1e+", "-NaN",
            "Inf", "0x1", "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "]", "{", "{\"a\"", "{\"a\":",
            "{\"a\":1", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "\"", "\"a", "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"", "\"\\u12g4\"", "\"\t\"", "\"\n\"", "1 2", "[] []", "\"\\", "\"\\u", "'a'",
        ])
    func refused(_ text: String) { #expect(code([UInt8](text.utf8)) == .syntax) }

    @Test("half of a surrogate pair is refused by name")
    func surrogates() {
        for text in [
            #""\ud800""#, #""\udc00""#, #""\ud800\ud800""#, #""\ud800x""#, #""\ud83d\u0041""#,
        ] {
            #expect(code([UInt8](text.utf8)) == .surrogate, "\(text)")
        }
    }

    @Test("bytes that are not UTF-8 are refused by name")
    func invalidUTF8() {
        for bytes: [UInt8] in [
            [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe4, 0xb8], [0xf5, 0x80],
        ] {
            #expect(code([0x22] + bytes + [0x22]) == .utf8, "\(bytes)")
            #expect(code([0x22, 0x5c, 0x6e] + bytes + [0x22]) == .utf8, "\(bytes)")
        }
    }

    @Test("nesting is refused beyond the limit, however deep it is")
    func depth() throws {
        func nested(_ count: Int) -> [UInt8] {
            [UInt8](
                (String(repeating: "[", count: count) + String(repeating: "]", count: count)).utf8)
        }
        #expect(code(nested(128)) == nil)
        #expect(code(nested(129)) == .depth)
        #expect(code(nested(10_000)) == .depth)
        #expect(
            code([UInt8](repeating: UInt8(ascii: "["), count: 1_000_000), depth: .max) == .depth)
        let objects = String(repeating: "{\"a\":", count: 10_000)
        #expect(code([UInt8](objects.utf8)) == .depth)
        // The deepest that may be asked for fits the stack, there and back.
        let deepest = try JSONValue(parsing: nested(JSONParser.maximumDepth), depth: .max)
        #expect(deepest.encoded() == nested(JSONParser.maximumDepth))
    }

    @Test("text beyond the size limit is not parsed")
    func size() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x31, 0x31], limit: 1) }
    }

    @Test("of equal keys the last value wins, at the first one's place")
    func duplicateKeys() throws {
        let value = try parse(#"{"a": 1, "b": 2, "a": 3}"#)
        #expect(value.encoded() == [UInt8](#"{"a":3,"b":2}"#.utf8))
    }

    @Test("keys that look alike stay apart")
    func composedKeys() throws {
        let value = try parse(#"{"\u00e9": 1, "e\u0301": 2}"#)
        #expect(value.objectValue?.count == 2)
        #expect(value["\u{e9}"] == 1)
        #expect(value["e\u{301}"] == 2)
    }

    @Test("what the parser accepts, Foundation accepts too")
    func foundation() throws {
        var random = RepeatableRandom()
        var accepted = 0
        for round in 0..<5000 {
            let text = Self.randomText(&random)
            guard (try? JSONValue(parsing: text)) != nil else { continue }
            accepted += 1
            do {
                _ = try JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
            } catch {
                // A number beyond Double is JSON all the same; ours keeps its text.
                let isRange = "\(error)".contains("is not representable")
                #expect(isRange, "seed \(random.seed), round \(round): \(error)")
            }
        }
        #expect(accepted > 100)
    }

    private static func randomText(_ random: inout RepeatableRandom) -> [UInt8] {
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\"", "1", "-0.5e3", "null", "true",
            " ", "\"é\"",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 1...7, using: &random) {
            text += pieces.randomElement(using: &random) ?? ""
        }
        return [UInt8](text.utf8)
    }
}
