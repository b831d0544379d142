import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Two schedulers side by side", .serialized, .timeLimit(.minutes(5)))
struct SchedulerPairTests {
    private static let together = 8
    private static let alone = 3

    @Test("they enqueue no tick twice and miss none, also when one is killed")
    func pair() async throws {
        let queues = try await QueueServer()
        let directory = try TemporaryDirectory(prefix: "backhaul-schedule")
        let file = directory.path(of: "schedule.yaml")
        try Data(
            """
            entries:
              heartbeat:
                job: backhaul.ping
                every: 1s
                queue: celery
            """.utf8
        ).write(to: URL(fileURLWithPath: file))
        let schedulers = try (0..<2).map { _ in
            try BackhaulProcess(["scheduler", "--redis", queues.url, "--schedule", file])
        }
        try await eventually(within: .seconds(60), "\(Self.together) ticks") {
            try await queues.waiting(in: .celery) >= Self.together
        }
        _ = try await schedulers[0].kill()
        let sofar = try await queues.waiting(in: .celery)
        try await eventually(within: .seconds(60), "\(Self.alone) ticks more") {
            try await queues.waiting(in: .celery) >= sofar + Self.alone
        }
        #expect(try await schedulers[1].stop().code == 0)
        let dueTimes = try await queues.messages(in: .celery).map(dueTime)
        #expect(dueTimes.count >= Self.together + Self.alone)
        let gaps = zip(dueTimes, dueTimes.dropFirst()).map { $1.timeIntervalSince($0) }
        #expect(gaps.allSatisfy { $0 == 1 }, "one second between ticks: \(gaps)")
    }

    /// The tick that a message stands for.
    private func dueTime(_ message: JobMessage) throws -> Date {
        let envelope = try JSONValue(parsing: message.raw)
        let text = try #require(envelope["headers"]?["backhaul_tick_due_at"]?.stringValue)
        return try Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
