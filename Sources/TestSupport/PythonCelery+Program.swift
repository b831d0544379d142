import Foundation

extension PythonCelery {
    /// Runs a few lines of Python, with `tasks` at hand; returns what they printed.
    package func run(
        _ program: String, within limit: Duration = .seconds(60)
    ) async throws -> String {
        let directory = try TemporaryDirectory(prefix: "backhaul-python")
        let child = try ChildProcess(
            python, ["-c", program], in: directory.path,
            environment: environment([
                "PYTHONPATH": scripts.path, "TEST_REDIS": redis, "TEST_VISIBILITY": "3600",
                "TEST_STUCK": "",
            ]), output: directory.path(of: "output"), errors: directory.path(of: "errors"))
        try await child.exit(within: limit)
        func text(_ file: String) -> String {
            String(
                decoding: FileManager.default.contents(atPath: directory.path(of: file)) ?? Data(),
                as: UTF8.self)
        }
        guard child.exitCode == 0 else {
            throw FixtureError("the Python program failed: \(text("errors"))")
        }
        return text("output")
    }
}
