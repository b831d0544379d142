import ArgumentParser
import Enqueue
import Foundation
import JobModel
import Logging

/// Enqueues through the public interface, as any service does: one by one, or by the batch.
struct EnqueueBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Enqueues jobs to the server of $REDIS_URL and prints how long it took.")

    /// A job with small arguments; nobody runs it.
    private struct Charge: Job {
        struct Payload: Codable, Sendable {
            let invoice: Int
            let currency: String
        }

        static let name: JobName = "bench.charge"

        func run(_ payload: Payload, in context: JobContext) async throws -> Verdict { .done }
    }

    private struct Figures: Encodable {
        let messages: Int
        let seconds: Double
        let cpuSeconds: Double

        enum CodingKeys: String, CodingKey {
            case messages, seconds
            case cpuSeconds = "cpu_seconds"
        }
    }

    @Option(help: "How many.") var count = 10_000
    @Option(help: "Which queue.") var queue = "bench"
    @Flag(help: "Many in one call, instead of one call for each.") var bulk = false
    @Option(help: "How many in one call.") var batch = Enqueuer.maximumBatch
    @Option(help: "How many tasks enqueue, each its share.") var tasks = 1

    func run() async throws {
        let url = ProcessInfo.processInfo.environment["REDIS_URL"] ?? "redis://127.0.0.1:6379/0"
        let enqueuer = try Enqueuer(redis: url, logger: Logger(label: "bench"))
        var options = EnqueueOptions()
        options.queue = try QueueName(queue)
        // The connection comes about with the first call.
        try await enqueuer.enqueue(Charge.self, payload(0), options)
        let watch = Stopwatch()
        let share = (count + tasks - 1) / tasks
        try await withThrowingTaskGroup(of: Void.self) { group in
            for start in stride(from: 0, to: count, by: share) {
                let numbers = start..<min(start + share, count)
                group.addTask { [options] in
                    try await enqueue(numbers, by: enqueuer, options)
                }
            }
            try await group.waitForAll()
        }
        let (seconds, cpuSeconds) = watch.read()
        let figures = Figures(messages: count, seconds: seconds, cpuSeconds: cpuSeconds)
        print(String(decoding: try JSONEncoder().encode(figures), as: UTF8.self))
    }

    private func enqueue(
        _ numbers: Range<Int>, by enqueuer: Enqueuer, _ options: EnqueueOptions
    ) async throws {
        guard bulk else {
            for number in numbers {
                try await enqueuer.enqueue(Charge.self, payload(number), options)
            }
            return
        }
        for start in stride(from: numbers.lowerBound, to: numbers.upperBound, by: batch) {
            let jobs = (start..<min(start + batch, numbers.upperBound)).map {
                (payload($0), options)
            }
            try await enqueuer.enqueue(Charge.self, all: jobs)
        }
    }

    private func payload(_ number: Int) -> Charge.Payload {
        Charge.Payload(invoice: 1_000_000 + number, currency: "EUR")
    }
}
