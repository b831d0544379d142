import Foundation
import TestSupport
import Testing

@testable import JobModel

@Suite("Hostile bytes")
struct WireFuzzTests {
    /// Enough to meet every branch many times; about ten seconds in debug.
    private static let cases = 24_000

    @Test("whatever comes in is a message or an error, and both readers agree")
    func mutations() {
        var random = RepeatableRandom()
        print("Hostile bytes: seed \(random.seed)")
        let seeds = GoldenFile.messages.map(\.bytes)
        var decoded = 0
        for round in 0..<Self.cases {
            let raw = Self.mutation(of: seeds, &random)
            if Self.survives(raw, "seed \(random.seed), round \(round)") { decoded += 1 }
        }
        // A test in which nothing decodes, or nothing breaks, would prove little.
        #expect(decoded > Self.cases / 20)
        #expect(decoded < Self.cases * 19 / 20)
    }

    @Test("every truncation of a message is an error")
    func truncations() throws {
        let raw = try GoldenFile.bytes("args")
        for count in 0..<raw.count {
            #expect(failure(Array(raw.prefix(count)))?.code == "envelope.json")
        }
    }

    /// Decodes by both readers and says whether there was a message.
    private static func survives(_ raw: [UInt8], _ label: String) -> Bool {
        let fast = outcome(raw, scanning: true)
        let slow = outcome(raw, scanning: false)
        #expect(fast.facts == slow.facts, "\(label)")
        guard let message = fast.message else { return false }
        #expect(message.raw == raw, "\(label)")
        let now = Date(timeIntervalSince1970: 0)
        do throws(MessageError) {
            let again = try message.retried(
                retries: message.retries + 1, eta: now, adding: nil, at: now)
            #expect(try JobModelTests.message(again).retries == message.retries + 1, "\(label)")
            #expect(try JobModelTests.message(message.redelivered()).id == message.id, "\(label)")
        } catch {
            Issue.record("a decoded message cannot be retried: \(error.code), \(label)")
        }
        return true
    }

    private static func outcome(
        _ raw: [UInt8], scanning: Bool
    ) -> (message: JobMessage?, facts: [String]) {
        do throws(MessageError) {
            let message = try JobMessage(decoding: raw, limits: WireLimits(), scanning: scanning)
            return (message, facts(message))
        } catch {
            return (nil, [error.code, error.message, error.id ?? "-", error.name ?? "-"])
        }
    }

    private static func facts(_ message: JobMessage) -> [String] {
        var facts = [
            message.id.text, message.name.text, "\(message.retries)",
            "\(String(describing: message.eta))",
            "\(String(describing: message.expires))",
            "\(String(describing: message.hardTimeLimit))",
            "\(String(describing: message.softTimeLimit))", "\(message.priority.value)",
            "\(String(describing: message.ignoreResult))", message.rootID ?? "-",
            message.parentID ?? "-",
            message.groupID ?? "-",
        ]
        do throws(MessageError) {
            let body = try message.body(limits: WireLimits())
            let value: JSONValue = [.array(body.args), .object(body.kwargs), .object(body.embed)]
            facts.append(String(decoding: value.encoded(), as: UTF8.self))
        } catch {
            facts += [error.code, error.message]
        }
        return facts
    }

    private static let scraps = [
        "{", "}", "[", "]", "\"", ",", ":", "\\", "\\u", "\\ud800", "null", "NaN", "-Infinity",
        "1e999", "\u{e9}",
        "\"task\"", "\"id\"", "\"headers\": {}", "\"retries\": 1, ",
        "\"eta\": \"2026-01-01T00:00:00\", ", "[[[[",
        "\"body\": \"\", ", "\"__type__\"", "\u{0}", "  ",
    ]

    /// A captured message after a few changes, or noise.
    private static func mutation(of seeds: [[UInt8]], _ random: inout RepeatableRandom) -> [UInt8] {
        guard Int.random(in: 0..<20, using: &random) > 0,
            var raw = seeds.randomElement(using: &random)
        else {
            return (0..<Int.random(in: 0...64, using: &random)).map { _ in
                .random(in: 0...255, using: &random)
            }
        }
        for _ in 0..<Int.random(in: 1...3, using: &random) where !raw.isEmpty {
            let place = Int.random(in: 0..<raw.count, using: &random)
            let end = min(raw.count, place + Int.random(in: 1...12, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: raw[place] = .random(in: 0...255, using: &random)
            case 1: raw[place] = .random(in: 0x20...0x7e, using: &random)
            case 2: raw.removeSubrange(place..<end)
            case 3:
                raw.insert(contentsOf: (scraps.randomElement(using: &random) ?? "").utf8, at: place)
            case 4:
                raw.insert(
                    contentsOf: raw[place..<end], at: Int.random(in: 0...raw.count, using: &random))
            default: raw[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
        }
        return raw
    }
}
