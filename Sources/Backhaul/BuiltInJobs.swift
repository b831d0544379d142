import Enqueue
import HTTP
import JobModel
import Jobs
import Postgres

/// The jobs this program can run: the ISP's, and one of its own to try things with.
enum BuiltInJobs {
    /// All of them, composed.
    static func registry(
        _ composition: Composition, pool: PostgresPool, sender: HTTPSender, enqueuer: Enqueuer
    ) throws -> JobRegistry {
        JobRegistry([RegisteredJob(Ping())])
    }

    /// The queue a job asks for, by its name; nil for one that is not ours.
    static func queue(of name: JobName) -> QueueName? { nil }
}

/// Does nothing and answers "pong": for `doctor`, for benchmarks, and for a first try.
struct Ping: Job {
    struct Payload: Codable, Sendable {}

    static let name: JobName = "backhaul.ping"

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        .finished(result: .string("pong"))
    }
}
