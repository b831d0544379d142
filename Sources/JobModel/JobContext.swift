public import Logging

/// What a running job may know about itself, and what it may ask for.
public struct JobContext: Sendable {
    /// The task id.
    public let id: JobID
    /// The task name.
    public let name: JobName
    /// The queue the message came from.
    public let queue: QueueName
    /// 1 for the first run, 2 for the first retry, and so on.
    public let attempt: Int
    /// The attempt after which a failure becomes a dead letter.
    public let maximumAttempts: Int
    /// The task that started the workflow this job belongs to.
    public let rootID: String?
    /// The task that sent this one.
    public let parentID: String?
    /// The group it belongs to, which is also its chord's id.
    public let groupID: String?
    /// Orders this run's reservation among those of the same message; see ``Fence``.
    public let fence: Fence
    /// Wall-clock time; inject another in tests.
    public let time: any TimeSource

    private let baseLogger: Logger
    private let scope: JobScope?

    /// Carries the job's facts; add no payloads and no secrets.
    ///
    /// Made when asked for, because most jobs never log.
    public var logger: Logger {
        var logger = baseLogger
        logger[metadataKey: LogKey.jobID] = "\(id)"
        logger[metadataKey: LogKey.jobName] = "\(name)"
        logger[metadataKey: LogKey.jobAttempt] = "\(attempt)"
        return logger
    }

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
        self.id = id
        self.name = name
        self.queue = queue
        self.attempt = attempt
        self.maximumAttempts = maximumAttempts
        self.rootID = rootID
        parentID = nil
        groupID = nil
        self.fence = fence
        baseLogger = logger
        self.time = time
        scope = nil
    }

    /// Makes the context of a run.
    package init(
        _ scope: JobScope, from delivery: Delivery, maximumAttempts: Int, logger: Logger,
        time: any TimeSource
    ) {
        let message = scope.message
        id = message.id
        name = message.name
        queue = delivery.queue
        attempt = message.retries + 1
        self.maximumAttempts = maximumAttempts
        rootID = message.rootID
        parentID = message.parentID
        groupID = message.groupID
        fence = delivery.lease.fence
        baseLogger = logger
        self.time = time
        self.scope = scope
    }
}
