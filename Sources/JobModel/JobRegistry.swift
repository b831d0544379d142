/// The jobs one worker can run, by name: built once, never changed.
public struct JobRegistry: Sendable {
    private let jobs: [JobName: RegisteredJob]

    /// Collects jobs; two with one name are a bug and trap.
    public init(_ jobs: [RegisteredJob]) {
        self.jobs = Dictionary(jobs.map { ($0.name, $0) }) { first, _ in
            preconditionFailure("two jobs are named \(first.name)")
        }
    }

    private init(_ jobs: [JobName: RegisteredJob]) { self.jobs = jobs }

    /// The same with jobs that every worker has; one of the worker's own goes before them.
    package func adding(builtIns added: [RegisteredJob]) -> JobRegistry {
        JobRegistry(jobs.merging(added.map { ($0.name, $0) }) { own, _ in own })
    }

    /// The job of that name, if this worker has it.
    public subscript(name: JobName) -> RegisteredJob? { jobs[name] }

    /// What a publisher of workflows needs to know of these jobs.
    package var canvasRules: CanvasRules {
        var rules = CanvasRules()
        for (name, job) in jobs {
            rules.queues[name] = job.policy.queue
            if !job.policy.storesResult { rules.resultless.insert(name) }
            if job.handlesFailures { rules.failureHandlers.insert(name) }
            if let hard = job.policy.hardTimeLimit {
                rules.limits[name] = (hard, job.policy.timeLimit)
            }
        }
        return rules
    }

    /// Every name, sorted.
    public var names: [JobName] { jobs.keys.sorted { $0.text < $1.text } }
}

/// A job with its payload type erased, ready to be run from a message body.
public struct RegisteredJob: Sendable {
    /// The Celery task name.
    public let name: JobName
    /// Queue, retries and limits.
    public let policy: JobPolicy
    /// Whether it wants to know more of a failure than an id.
    package let handlesFailures: Bool

    private let body: @Sendable (MessageBody, JobContext) async throws -> Verdict

    /// Erases `job`.
    public init<Work: Job>(_ job: Work) {
        name = Work.name
        policy = Work.policy
        handlesFailures = Work.self is any FailureHandler.Type
        body = { message, context in
            let payload = try PayloadDecoder.decode(
                Work.Payload.self, args: message.args, kwargs: message.kwargs)
            return try await job.run(payload, in: context)
        }
    }

    /// A job made of a closure, for those too small for a type of their own.
    ///
    /// ```swift
    /// RegisteredJob("sums.add") { (sum: Sum, _) in try .done(sum.x + sum.y) }
    /// ```
    ///
    /// With `handlesFailures` it is told of failures as a ``FailureHandler`` is.
    public init<Payload: Decodable & Sendable>(
        _ name: JobName, policy: JobPolicy = JobPolicy(), handlesFailures: Bool = false,
        run: @escaping @Sendable (Payload, JobContext) async throws -> Verdict
    ) {
        self.name = name
        self.policy = policy
        self.handlesFailures = handlesFailures
        body = { message, context in
            let payload = try PayloadDecoder.decode(
                Payload.self, args: message.args, kwargs: message.kwargs)
            return try await run(payload, context)
        }
    }

    /// Decodes the payload and runs the job.
    ///
    /// - Throws: `PayloadError` when the arguments do not fit, else what the job throws.
    package func run(_ message: MessageBody, in context: JobContext) async throws -> Verdict {
        try await body(message, context)
    }
}
