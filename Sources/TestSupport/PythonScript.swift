import Foundation
package import JobModel

/// A few lines of Python run by the interpreter that has Celery.
package struct PythonScript: Sendable {
    private let text: String

    /// A script that reads JSON from the file named by its first argument, and prints JSON.
    package init(_ text: String) { self.text = text }

    /// Runs it with `input`; returns what it printed.
    ///
    /// - Throws: `FixtureError` when there is no Python with Celery, or the script fails.
    package func run(_ input: JSONValue) async throws -> JSONValue {
        let python = PythonCelery.interpreter
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw FixtureError("there is no Python with Celery at \(python): run `make bootstrap`")
        }
        let directory = try TemporaryDirectory(prefix: "backhaul-script")
        let file = directory.path(of: "input.json")
        try Data(input.encoded()).write(to: URL(fileURLWithPath: file))
        let output = directory.path(of: "output")
        let errors = directory.path(of: "errors")
        let child = try ChildProcess(
            python, ["-c", text, file], in: directory.path, output: output, errors: errors)
        try await child.exit(within: .seconds(60))
        guard child.exitCode == 0 else {
            let said = FileManager.default.contents(atPath: errors) ?? Data()
            throw FixtureError("the Python script failed: \(String(decoding: said, as: UTF8.self))")
        }
        return try JSONValue(
            parsing: [UInt8](FileManager.default.contents(atPath: output) ?? Data()))
    }
}
