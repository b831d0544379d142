import Foundation
import Testing

/// The Python of the tests: `BACKHAUL_TEST_PYTHON`, or the virtual environment of the working copy.
enum TestPython {
    private static var path: String {
        if let path = ProcessInfo.processInfo.environment["BACKHAUL_TEST_PYTHON"] { return path }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent(".run/venv/bin/python").path
    }

    /// What a script writes, given something to read; files, because pipes fill up.
    static func output(of script: String, input: Data = Data()) throws -> Data {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("python-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let source = directory.appendingPathComponent("input")
        let output = directory.appendingPathComponent("output")
        try input.write(to: source)
        try Data().write(to: output)

        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["-c", script]
        process.standardInput = try FileHandle(forReadingFrom: source)
        process.standardOutput = try FileHandle(forWritingTo: output)
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(path) failed")
        return try Data(contentsOf: output)
    }
}
