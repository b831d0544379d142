public import Logging

/// What a running job may know about itself, and what it may ask for.
public struct JobContext: Sendable {
    private let subject: Subject

    /// The run that it speaks of, or what a test says of none.
    private enum Subject {
        case run(JobScope)
        case told(ToldFacts)
    }

    /// The task id.
    public var id: JobID {
        switch subject {
        case .run(let scope): scope.message.id
        case .told(let facts): facts.id
        }
    }

    /// The task name.
    public var name: JobName {
        switch subject {
        case .run(let scope): scope.message.name
        case .told(let facts): facts.name
        }
    }

    /// The queue the message came from.
    public var queue: QueueName {
        switch subject {
        case .run(let scope): scope.delivery.queue
        case .told(let facts): facts.queue
        }
    }

    /// 1 for the first run, 2 for the first retry, and so on.
    public var attempt: Int {
        switch subject {
        case .run(let scope): scope.message.retries + 1
        case .told(let facts): facts.attempt
        }
    }

    /// The attempt after which a failure becomes a dead letter.
    public var maximumAttempts: Int {
        switch subject {
        case .run(let scope): scope.maximumAttempts
        case .told(let facts): facts.maximumAttempts
        }
    }

    /// The task that started the workflow this job belongs to.
    public var rootID: String? {
        switch subject {
        case .run(let scope): scope.message.rootID
        case .told(let facts): facts.rootID
        }
    }

    /// The task that sent this one.
    public var parentID: String? { scope?.message.parentID }

    /// The group it belongs to, which is also its chord's id.
    public var groupID: String? { scope?.message.groupID }

    /// Orders this run's reservation among those of the same message; see ``Fence``.
    public var fence: Fence {
        switch subject {
        case .run(let scope): scope.delivery.lease.fence
        case .told(let facts): facts.fence
        }
    }

    /// Wall-clock time; inject another in tests.
    public var time: any TimeSource {
        switch subject {
        case .run(let scope): scope.site.time
        case .told(let facts): facts.time
        }
    }

    /// Carries the job's facts; add no payloads and no secrets.
    ///
    /// Made when asked for, because most jobs never log.
    public var logger: Logger {
        var logger =
            switch subject {
            case .run(let scope): scope.site.logger
            case .told(let facts): facts.logger
            }
        logger[metadataKey: LogKey.jobID] = "\(id)"
        logger[metadataKey: LogKey.jobName] = "\(name)"
        logger[metadataKey: LogKey.jobAttempt] = "\(attempt)"
        return logger
    }

    private var scope: JobScope? { if case .run(let scope) = subject { scope } else { nil } }

    /// The message it was sent by, read anew each time; `nil` in tests of single jobs.
    public var request: JobRequest? { scope.map { JobRequest($0.message) } }

    /// Sends a job, or a whole workflow, in the same step in which this job is settled as done.
    ///
    /// It is sent if and only if this run counts: nothing is sent by an attempt that fails, and
    /// nothing twice. It must not be waited for inside this job. Its result is listed among this
    /// job's children.
    ///
    /// - Throws: ``CanvasError`` when it cannot be written.
    @discardableResult
    public func send(_ signature: Signature) throws(CanvasError) -> SentSignature {
        guard let scope else { throw Self.outside }
        return try scope.send(signature)
    }

    /// Adds a member to the chord that this job is itself a member of, as ``send(_:)`` does.
    ///
    /// - Throws: ``CanvasError`` when it cannot be written, or this job is in no chord.
    public func addToChord(_ signature: Signature) throws(CanvasError) {
        guard let scope else { throw Self.outside }
        try scope.addToChord(signature)
    }

    /// Tells whoever waits for the result how the job stands, in a state of its own such as
    /// `PROGRESS`; the end of the job overwrites it.
    ///
    /// - Throws: what the result store throws.
    public func report(state: String, _ meta: JSONValue = .null) async throws {
        try await scope?.report(state, meta)
    }

    private static let outside = CanvasError(
        code: "canvas.outside", message: "only a job that a worker runs can send in its own step")

    /// Makes a context for tests of single jobs.
    public init(
        id: JobID, name: JobName, queue: QueueName, attempt: Int, maximumAttempts: Int,
        rootID: String? = nil, fence: Fence = .none, logger: Logger, time: any TimeSource
    ) {
        subject = .told(
            ToldFacts(
                id: id, name: name, queue: queue, attempt: attempt,
                maximumAttempts: maximumAttempts, rootID: rootID, fence: fence, logger: logger,
                time: time))
    }

    /// Makes the context of a run.
    package init(_ scope: JobScope) { subject = .run(scope) }
}

/// What a test says of a job that nobody sent.
private final class ToldFacts: Sendable {
    let id: JobID
    let name: JobName
    let queue: QueueName
    let attempt: Int
    let maximumAttempts: Int
    let rootID: String?
    let fence: Fence
    let logger: Logger
    let time: any TimeSource

    init(
        id: JobID, name: JobName, queue: QueueName, attempt: Int, maximumAttempts: Int,
        rootID: String?, fence: Fence, logger: Logger, time: any TimeSource
    ) {
        self.id = id
        self.name = name
        self.queue = queue
        self.attempt = attempt
        self.maximumAttempts = maximumAttempts
        self.rootID = rootID
        self.fence = fence
        self.logger = logger
        self.time = time
    }
}
