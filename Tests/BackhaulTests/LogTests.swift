import Foundation
import JobModel
import Logging
import TestSupport
import Testing

@testable import Backhaul

@Suite("A log line is one line, whatever it holds")
struct LogTests {
    private static let date = Date(timeIntervalSince1970: 1_772_357_400.25)

    private func line(
        _ format: LogFormat, _ message: String = "job finished", _ metadata: Logger.Metadata = [:],
        date: Date = Self.date
    ) -> String {
        let entry = LogEntry(
            date: date, level: .info, logger: "worker", message: message, metadata: metadata)
        return String(decoding: format.line(for: entry), as: UTF8.self)
    }

    @Test("text is time, level, message and sorted facts")
    func text() {
        let metadata: Logger.Metadata = [
            "queue.name": "celery", "duration_ms": .stringConvertible(12),
            "outcome": "gave back", "job.id": "", "ok": .stringConvertible(true),
            "list": ["a", "b"], "map": ["b": "2", "a": "1"], "wait_s": .stringConvertible(0.5),
        ]
        #expect(
            line(.text, "job finished", metadata)
                == "2026-03-01T09:30:00.250Z info    job finished duration_ms=12 job.id=\"\" "
                + "list=\"[a, b]\" map=\"{a: 1, b: 2}\" ok=true outcome=\"gave back\" "
                + "queue.name=celery wait_s=0.5\n")
    }

    @Test("json is one object with numbers as numbers")
    func json() throws {
        let metadata: Logger.Metadata = [
            "duration_ms": .stringConvertible(12), "level": "mine", "job.id": "a\"b\\c",
            "ok": .stringConvertible(false),
        ]
        #expect(
            line(.json, "job finished", metadata)
                == "{\"time\":\"2026-03-01T09:30:00.250Z\",\"level\":\"info\","
                + "\"logger\":\"worker\",\"message\":\"job finished\",\"duration_ms\":12,"
                + "\"job.id\":\"a\\\"b\\\\c\",\"metadata.level\":\"mine\",\"ok\":false}\n")
    }

    @Test("no value can begin a line or steer a terminal", arguments: LogFormat.allCases)
    func injection(format: LogFormat) {
        let hostile = "x\n2026-03-01 error forged\r\u{1b}[2J\u{85}\u{2028}\u{202e}\u{0}\u{7f}y é"
        let line = line(format, hostile, ["a\nb": .string(hostile), "c": [.string(hostile)]])
        let unsafe = line.unicodeScalars.dropLast().filter {
            $0.properties.generalCategory == .control
                || "\u{2028}\u{202e}".unicodeScalars.contains($0)
        }
        #expect(unsafe.isEmpty)
        #expect(line.hasSuffix("\n"))
        #expect(line.contains("é"))
    }

    @Test("random text survives JSON unchanged")
    func roundTrip() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = RepeatableRandom(seed: seed)
        for _ in 0..<200 {
            let scalars = (0..<Int.random(in: 0...40, using: &random)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x2fff, using: &random))
            }
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars)
            let line = line(.json, "m", ["key": .string(String(text))])
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            let value = try #require((object as? [String: Any])?["key"] as? String)
            #expect(value.unicodeScalars.elementsEqual(text), "seed \(seed)")
        }
    }

    @Test(
        "instants are written as Foundation writes them",
        arguments: [0, 951_782_400.5, 1_709_164_799.999, 4_102_444_800, -1, -2_203_977_600.0])
    func timestamps(seconds: Double) {
        let date = Date(timeIntervalSince1970: seconds)
        let expected = date.formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(line(.text, date: date).hasPrefix(expected + " "))
    }

    @Test("a long value is cut")
    func longValue() {
        let text = String(repeating: "x", count: LogFact.maximumLength + 1)
        #expect(LogFact(.string(text)) == .text(text.dropLast() + "…"))
        #expect(LogFact(.string(String(text.dropLast()))) == .text(String(text.dropLast())))
    }

    @Test("the handler keeps to its level and merges metadata, the call site first")
    func handler() async throws {
        let pipe = Pipe()
        var settings = LogSettings()
        settings.level = .notice
        var logger = settings.logger(
            label: "test", output: LogOutput(pipe.fileHandleForWriting), time: Frozen())
        logger[metadataKey: "a"] = "handler"
        logger[metadataKey: "b"] = "handler"
        logger.info("not written")
        logger.notice("written", metadata: ["b": "site"])
        let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        #expect(line == "2026-03-01T09:30:00.250Z notice  written a=handler b=site\n")
    }

    private struct Frozen: TimeSource {
        var now: Date { LogTests.date }
    }

    @Test("lines of many writers never mix")
    func concurrentWriters() async throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("backhaul-log-\(UUID())").path
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let output = LogOutput(try #require(FileHandle(forWritingAtPath: path)))
        let logger = LogSettings().logger(label: "test", output: output, time: Frozen())
        await withTaskGroup { group in
            for writer in 0..<8 {
                group.addTask {
                    for _ in 0..<100 { logger.info("line", metadata: ["writer": "\(writer)"]) }
                }
            }
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 800)
        #expect(
            lines.allSatisfy {
                $0.wholeMatch(of: /2026-03-01T09:30:00\.250Z info    line writer=[0-7]/) != nil
            })
    }

    @Test("a line that cannot be written is counted, and nobody is hurt")
    func failingOutput() throws {
        let output = LogOutput(try #require(FileHandle(forWritingAtPath: "/dev/full")))
        output.write(Array("line\n".utf8))
        #expect(output.dropped == 1)
    }
}
