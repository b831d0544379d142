import Foundation
import TestSupport
import Testing

@testable import JobModel

@Suite("WireDate")
struct WireDateTests {
    @Test(
        "what Python writes is read",
        arguments: [
            ("1970-01-01T00:00:00", 0.0), ("1970-01-01", 0), ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01 01:00:00+01:00", 0), ("1969-12-31T23:59:59.5-00:00", -0.5),
            ("2026-11-22T08:01:19.015978+00:00", 1_795_334_479.015978),
            ("2026-11-22T08:01Z", 1_795_334_460),
            ("2024-02-29T00:00:00", 1_709_164_800), ("2000-02-29", 951_782_400),
            ("2030-01-02T03:04:05.678901+0100", 1_893_549_845.678901),
            ("2030-01-02T03:04:05.67890199+01", 1_893_549_845.678901),
            ("1970-01-01T00:00:30+00:00:30", 0),
            ("0001-01-01T00:00:00", -62_135_596_800), ("9999-12-31T23:59:59", 253_402_300_799),
        ])
    func read(_ text: String, _ unix: Double) throws {
        let date = try #require(WireDate.date(text))
        #expect(abs(date.timeIntervalSince1970 - unix) < 1e-6)
    }

    @Test(
        "what is no date is refused",
        arguments: [
            "", "now", "2026", "2026-1-1", "2026-13-01", "2026-00-01", "2026-02-29", "2026-01-32",
            "2026-01-00",
            "1900-02-29", "0000-01-01", "2026-01-01T", "2026-01-01T24:00:00", "2026-01-01T00:60:00",
            "2026-01-01T00:00:60", "2026-01-01T00:00:00.", "2026-01-01T00:00:00+",
            "2026-01-01T00:00:00+1",
            "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00 Z",
            "-026-01-01",
            "2026-01-01T00:00:00+00:00:00:00", "２０26-01-01",
        ])
    func refused(_ text: String) { #expect(WireDate.date(text) == nil) }

    @Test("dates are written as Python writes them")
    func written() {
        #expect(WireDate.text(Date(timeIntervalSince1970: 0)) == "1970-01-01T00:00:00+00:00")
        #expect(
            WireDate.text(Date(timeIntervalSince1970: -0.5)) == "1969-12-31T23:59:59.500000+00:00")
        #expect(
            WireDate.text(Date(timeIntervalSince1970: 1_795_334_479.015978))
                == "2026-11-22T08:01:19.015978+00:00")
        #expect(WireDate.text(.distantPast) == "0001-01-01T00:00:00+00:00")
        #expect(WireDate.text(Date(timeIntervalSince1970: 1e300)) == "9999-12-31T23:59:59+00:00")
        #expect(WireDate.text(Date(timeIntervalSince1970: .nan)) == "0001-01-01T00:00:00+00:00")
        #expect(
            WireDate.text(Date(timeIntervalSince1970: 0.999_999_9)) == "1970-01-01T00:00:01+00:00")
    }

    @Test("to the microsecond, what is written is read again")
    func roundTrip() throws {
        var random = RepeatableRandom()
        for _ in 0..<5000 {
            let seconds = Int.random(in: -2_000_000_000...4_000_000_000, using: &random)
            let unix = Double(seconds) + Double(Int.random(in: 0..<1_000_000, using: &random)) / 1e6
            let date = Date(timeIntervalSince1970: unix)
            let text = WireDate.text(date)
            let read = try #require(WireDate.date(text), "seed \(random.seed)")
            #expect(abs(read.timeIntervalSince(date)) < 1e-6, "seed \(random.seed)")
            #expect(WireDate.text(read) == text, "seed \(random.seed)")
        }
    }

    @Test("the calendar is Foundation's")
    func calendar() throws {
        let format = Date.ISO8601FormatStyle()
        for day in stride(from: -700_000, through: 2_900_000, by: 997) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400 + 3723)
            let text = WireDate.text(date)
            #expect(WireDate.date(text) == date)
            if day > -100_000 { #expect(text.prefix(19) == date.formatted(format).prefix(19)) }
        }
    }
}

@Suite("Base64")
struct Base64Tests {
    @Test("it agrees with Foundation")
    func foundation() {
        var random = RepeatableRandom()
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let text = Data(bytes).base64EncodedString()
            #expect(Base64.encoded(bytes) == text, "seed \(random.seed)")
            #expect(Base64.decoded(text.utf8.span) == bytes, "seed \(random.seed)")
        }
    }

    @Test(
        "what is no base64 is refused",
        arguments: [
            "A", "AA", "AAA", "====", "A===", "AA=A", "AA*A", "AAAA\n", "AA=AAAAA", "AAA=AAAA",
            "é===",
        ])
    func refused(_ text: String) { #expect(Base64.decoded(text.utf8.span) == nil) }
}
