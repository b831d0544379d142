import Foundation
import Testing

@testable import Backhaul

@Suite("A settings file is read with the line of every key")
struct SettingsFileTests {
    private func entries(_ text: String) throws(SettingsError) -> [SettingsFile.Entry] {
        try SettingsFile(path: "f.yaml", text: text).entries()
    }

    @Test("sections are joined with a dot; values keep their shape")
    func shapes() throws {
        let found = try entries(
            """
            # a comment
            worker:
              queues: [a, b]
              concurrency: "7"
            database:
              url: ~
            http:
            """)
        #expect(
            found == [
                .init(key: "worker.queues", line: 3, value: .list(["a", "b"])),
                .init(key: "worker.concurrency", line: 4, value: .text("7")),
                .init(key: "database.url", line: 6, value: .nothing),
            ])
    }

    @Test(
        "an empty file, or one of comments, sets nothing", arguments: ["", "# x\n", "---\n", "~"])
    func emptyFiles(text: String) throws {
        #expect(try entries(text).isEmpty)
    }

    @Test("a value that is a mapping, or a list with a hole, is no value")
    func unreadableValues() throws {
        #expect(try entries("a:\n  b:\n    c: 1").map(\.value) == [nil])
        #expect(try entries("a:\n  b: [1, ~]").map(\.value) == [nil])
    }

    @Test(
        "text that is no mapping is refused with its line, without quoting it",
        arguments: [
            ("- hunter2", 1), ("hunter2", 1), ("a: 1\nb: [hunter2", 2), ("a:\n\t- hunter2", 2),
            ("a: 1\nhunter2: 2\na: 3", 1), ("a: *hunter2", 1),
        ])
    func malformed(text: String, line: Int) {
        let error = #expect(throws: SettingsError.self) { try entries(text) }
        #expect(error?.problems.count == 1)
        guard case .file("f.yaml", let found)? = error?.problems.first?.source else {
            Issue.record("the problem does not name the file")
            return
        }
        #expect(found >= line)
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test("a file that is missing, too large or no UTF-8 is named")
    func unreadableFiles() throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("backhaul-settings-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let large = directory.appendingPathComponent("large.yaml").path
        try Data(repeating: 0x20, count: SettingsFile.maximumBytes + 1)
            .write(to: URL(fileURLWithPath: large))
        let latin = directory.appendingPathComponent("latin.yaml").path
        try Data([0x23, 0xe9]).write(to: URL(fileURLWithPath: latin))
        for (path, phrase) in [
            (directory.path + "/none.yaml", "is the path right?"), (large, "larger than"),
            (latin, "not UTF-8"),
        ] {
            let error = #expect(throws: SettingsError.self) {
                try SettingsFile(reading: path, namedBy: .flag(name: "--config"))
            }
            #expect(error?.description.contains(phrase) == true)
            #expect(error?.description.contains("flag --config") == true)
        }
    }
}
