import ArgumentParser
import Foundation
import Glibc
import JobModel
import Logging
import Mailbox
import Worker

/// A worker with its default settings whose only job notes when it began, until TERM.
struct PickupWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pickup",
        abstract: "Works on the queue `bench` of $REDIS_URL; writes when each job began.")

    /// When a message was sent, as the producer wrote it.
    private struct Sent: Decodable, Sendable {
        let sent: String
    }

    private struct Pickup {
        let sent: String
        let begun: Int
    }

    @Option(help: "Where the times go, one job a line: sent, begun, in ns of CLOCK_MONOTONIC.")
    var output: String

    func run() async throws {
        let url = ProcessInfo.processInfo.environment["REDIS_URL"] ?? "redis://127.0.0.1:6379/0"
        var logger = Logger(label: "bench")
        logger.logLevel = .warning
        let pickups = Locked([Pickup]())
        let job = RegisteredJob("bench.pickup") { (payload: Sent, _) in
            let begun = Stopwatch.nanoseconds(CLOCK_MONOTONIC)
            pickups.withLock { $0.append(Pickup(sent: payload.sent, begun: begun)) }
            return .done
        }
        let worker = try JobWorker(
            redis: url, jobs: [job], options: JobWorkerOptions(queues: ["bench"]), logger: logger)
        try await worker.runUntilSignalled()
        let lines = pickups.withLock { $0.map { "\($0.sent) \($0.begun)\n" } }
        try lines.joined().write(toFile: output, atomically: true, encoding: .utf8)
    }
}
