import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Schedulers side by side", .serialized, .timeLimit(.minutes(5)))
struct SchedulerPairTests {
    private static let schedulers = 3
    private static let kills = 10

    @Test("they enqueue no tick twice and miss none, though one is killed at every tick")
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
        func start() throws -> BackhaulProcess {
            try BackhaulProcess(["scheduler", "--redis", queues.url, "--schedule", file])
        }
        func ticks(_ count: Int) async throws {
            try await eventually(within: .seconds(60), "\(count) ticks") {
                try await queues.waiting(in: .celery) >= count
            }
        }
        var schedulers = try (0..<Self.schedulers).map { _ in try start() }
        for kill in 0..<Self.kills {
            try await ticks(kill + 2)
            let victim = kill % schedulers.count
            _ = try await schedulers[victim].kill()
            schedulers[victim] = try start()
        }
        try await ticks(Self.kills + 3)
        for scheduler in schedulers { #expect(try await scheduler.stop().code == 0) }
        let dueTimes = try await queues.messages(in: .celery).map(dueTime)
        #expect(dueTimes.count >= Self.kills + 3)
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
