import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("PostgresQuery") struct PostgresQueryTests {
    @Test("interpolated values become numbered parameters")
    func placeholders() {
        let query: PostgresQuery = "select \(1), \("a") where x = \(nil as Int?)"
        #expect(query.sql == "select $1, $2 where x = $3")
        #expect(
            query.parameters == [
                PostgresValue(type: .int8, text: "1"),
                PostgresValue(type: .unspecified, text: "a"),
                PostgresValue(type: .int8, text: nil),
            ])
    }

    @Test("a description shows placeholders or the name, never a value")
    func description() {
        let query: PostgresQuery = "select \("secret")"
        #expect(query.description == "select $1")
        #expect(query.named("customers.find").description == "customers.find")
    }

    @Test("bytes are one bytea; other arrays are arrays of their type")
    func arrays() {
        let query: PostgresQuery = """
            \([UInt8](arrayLiteral: 0, 255)) \([1, 2]) \(["a", nil] as [String?]) \(json: ["{}"])
            \([[1]] as [[UInt8]])
            """
        #expect(query.parameters.map(\.type.oid) == [17, 1016, 1009, 3807, 1001])
        #expect(
            query.parameters.map(\.text) == [
                #"\x00ff"#, #"{"1","2"}"#, #"{"a",NULL}"#, #"{"{}"}"#, #"{"\\x01"}"#,
            ])
    }

    @Test("a zero byte is refused before anything is sent")
    func zeroByte() {
        let query: PostgresQuery = "select \(1), \("a\0b")"
        #expect(throws: PostgresError.self) { try query.validate() }
        do throws(PostgresError) {
            try query.named("x.y").validate()
        } catch {
            #expect(error.message.hasPrefix("parameter $2 "))
            #expect(error.queryName == "x.y")
        }
    }
}

@Suite("ArrayLiteral") struct ArrayLiteralTests {
    @Test(
        "the elements of an array come back as they were",
        arguments: [
            [], [nil], [""], ["NULL", nil, "null"], ["a,b", "{", "}", "\"", "\\", "\\\""],
            ["ünï", "日本", " space "],
        ] as [[String?]])
    func roundTrip(elements: [String?]) throws {
        let parsed = try #require(
            ArrayLiteral.elements(Array(ArrayLiteral.text(elements).utf8)[...]))
        #expect(parsed.map { $0.map { String(decoding: $0, as: UTF8.self) } } == elements)
    }

    @Test("the server's unquoted form is read too")
    func bare() throws {
        let parsed = try #require(ArrayLiteral.elements(Array("{1,NULL,\"NULL\"}".utf8)[...]))
        #expect(
            parsed.map { $0.map { String(decoding: $0, as: UTF8.self) } } == ["1", nil, "NULL"])
    }

    @Test(
        "what is not a one-dimensional array is refused",
        arguments: [
            "", "{", "}", "1", "{1", "{1,}", "{,1}", "{{1},{2}}", "{\"a}", "{\"a\\}", "{a\"b}",
        ])
    func malformed(text: String) {
        #expect(ArrayLiteral.elements(Array(text.utf8)[...]) == nil)
    }
}

@Suite("TimestampText") struct TimestampTextTests {
    @Test(
        "dates have the server's form",
        arguments: [
            (0.0, "1970-01-01 00:00:00+00"),
            (951_782_400.0, "2000-02-29 00:00:00+00"),
            (1_714_564_800.000_001, "2024-05-01 12:00:00.000001+00"),
            (-0.5, "1969-12-31 23:59:59.500000+00"),
            (-62_135_596_801.0, "0001-12-31 23:59:59+00 BC"),
            (253_402_300_800.0, "10000-01-01 00:00:00+00"),
        ])
    func text(seconds: Double, text: String) {
        let date = Date(timeIntervalSince1970: seconds)
        #expect(TimestampText.text(date) == text)
        #expect(TimestampText.date(Array(text.utf8)[...]) == date)
    }

    @Test(
        "every offset is understood",
        arguments: [
            "2024-05-01 17:30:00+05:30", "2024-05-01 12:00:00Z", "2024-05-01T12:00:00",
            "2024-05-01 04:00:00-08", "2024-05-01 12:19:32+00:19:32",
        ])
    func offsets(text: String) {
        #expect(
            TimestampText.date(Array(text.utf8)[...]) == Date(timeIntervalSince1970: 1_714_564_800))
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "infinity", "-infinity", "2024-13-01", "2024-05-01 12", "2024-05-01x", "12:00",
        ])
    func malformed(text: String) { #expect(TimestampText.date(Array(text.utf8)[...]) == nil) }

    @Test("microseconds survive any date from 1750 to 2250")
    func property() {
        let seed = UInt64.random(in: .min ... .max)
        var random = RepeatableRandom(seed: seed)
        for _ in 0..<20_000 {
            let microseconds = Int64.random(
                in: -7_900_000_000_000_000...7_900_000_000_000_000, using: &random)
            let date = Date(timeIntervalSinceReferenceDate: Double(microseconds) / 1e6)
            let text = TimestampText.text(date)
            let back = TimestampText.date(Array(text.utf8)[...])
            guard back != date else { continue }
            Issue.record("\(text) did not come back, seed \(seed)")
            return
        }
    }
}
