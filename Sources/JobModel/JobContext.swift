public import Logging

/// What a running job may know about itself.
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
    /// Orders this run's reservation among those of the same message; see ``Fence``.
    public let fence: Fence
    /// Wall-clock time; inject another in tests.
    public let time: any TimeSource

    private let baseLogger: Logger

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

    /// Makes a context; the worker does this, and tests of single jobs.
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
        self.fence = fence
        self.baseLogger = logger
        self.time = time
    }
}
