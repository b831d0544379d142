import JobModel
import Jobs

/// The jobs this program can run: the ISP's, and one of its own to try things with.
enum BuiltInJobs {
    /// All of them, ready to run.
    static func registry(_ services: JobServices) -> JobRegistry {
        JobRegistry(AllJobs.registered(services) + [RegisteredJob(Ping())])
    }

    /// The queue each of them asks for, by name.
    static var queues: [JobName: QueueName] {
        AllJobs.queues.merging([Ping.name: Ping.policy.queue]) { first, _ in first }
    }
}

/// Does nothing and answers "pong": for `doctor`, for benchmarks, and for a first try.
struct Ping: Job {
    struct Payload: Codable, Sendable {}

    static let name: JobName = "backhaul.ping"

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        .finished(result: .string("pong"))
    }
}
