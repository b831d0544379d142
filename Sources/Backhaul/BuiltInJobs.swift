import JobModel
import Jobs

/// The jobs this program can run: the ISP's, one of its own to try things with, and the drills.
enum BuiltInJobs {
    /// All of them, ready to run; drills only where there is a ground for them.
    static func registry(_ services: JobServices, drills: DrillGround? = nil) -> JobRegistry {
        JobRegistry(
            AllJobs.registered(services) + [RegisteredJob(Ping())]
                + (drills.map(Drills.registered) ?? []))
    }

    /// The queue each of them asks for, by name.
    ///
    /// Drills included: to enqueue one is harmless where no worker has `worker.drills`.
    static var queues: [JobName: QueueName] {
        AllJobs.queues.merging(Drills.queues) { first, _ in first }
            .merging([Ping.name: Ping.policy.queue]) { first, _ in first }
    }

    /// What whoever sends workflows knows of them.
    static var canvasRules: CanvasRules {
        var rules = CanvasRules()
        rules.queues = queues
        return rules
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
