import Foundation
import FoundationNetworking
package import JobModel

/// Flower, Celery's web monitor, in front of a Redis; it ends with this object at the latest.
package final class Flower: Sendable {
    /// What its API answered.
    package struct Answer: Sendable {
        package let status: Int
        package let body: [UInt8]

        /// The JSON; null when it is none.
        package var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    }

    private let child: ChildProcess
    private let directory: TemporaryDirectory
    private let port: Int

    /// Attempts to find a port that nobody uses.
    private static let portAttempts = 5
    /// Below the ports that the kernel gives to outgoing connections.
    private static let ports = 20_000..<32_000
    /// How long a page may take: Flower asks workers, and waits for who does not answer.
    private static let patience = 30.0

    /// Starts it and waits until it answers.
    package static func start(_ celery: PythonCelery) async throws -> Flower {
        for _ in 0..<portAttempts {
            let flower = try Flower(celery, port: Int.random(in: ports))
            try await eventually(within: .seconds(60), "Flower's readiness") {
                if !flower.child.isRunning { return true }
                return (try? await flower.get("/healthcheck"))?.status == 200
            }
            if flower.child.isRunning { return flower }
            guard flower.log.contains("Address already in use") else {
                throw FixtureError("Flower ended: \(flower.log)")
            }
        }
        throw FixtureError("Flower found no free port in \(portAttempts) attempts")
    }

    private init(_ celery: PythonCelery, port: Int) throws {
        self.port = port
        directory = try TemporaryDirectory(prefix: "backhaul-flower")
        child = try ChildProcess(
            celery.python,
            [
                "-m", "celery", "-A", "tasks", "flower", "--address=127.0.0.1", "--port=\(port)",
            ], in: directory.path,
            environment: celery.environment([
                "PYTHONPATH": celery.scripts.path, "TEST_REDIS": celery.redis,
                "TEST_VISIBILITY": "3600", "TEST_STUCK": "",
                "FLOWER_UNAUTHENTICATED_API": "true",
            ]), output: directory.path(of: "output"), errors: directory.path(of: "errors"))
    }

    /// What it has written so far.
    package var log: String {
        ["output", "errors"].map { name in
            let data = FileManager.default.contents(atPath: directory.path(of: name)) ?? Data()
            return String(decoding: data, as: UTF8.self)
        }.joined(separator: "\n")
    }

    package func get(_ path: String) async throws -> Answer { try await ask("GET", path) }

    /// Presses a button; `path` may have a query.
    package func post(_ path: String) async throws -> Answer { try await ask("POST", path) }

    private func ask(_ method: String, _ path: String) async throws -> Answer {
        guard let url = URL(string: "http://127.0.0.1:\(port)\(path)") else {
            throw FixtureError("\(path) is no path of a URL")
        }
        var request = URLRequest(url: url, timeoutInterval: Self.patience)
        request.httpMethod = method
        if method == "POST" { request.httpBody = Data() }
        let (body, response) = try await URLSession.shared.data(for: request)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        return Answer(status: status, body: [UInt8](body))
    }
}
