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
    /// Carries the job's facts; add no payloads and no secrets.
    public let logger: Logger
    /// Wall-clock time; inject another in tests.
    public let time: any TimeSource

    /// Makes a context; the worker does this, and tests of single jobs.
    public init(
        id: JobID, name: JobName, queue: QueueName, attempt: Int, maximumAttempts: Int,
        rootID: String? = nil, logger: Logger, time: any TimeSource
    ) {
        self.id = id
        self.name = name
        self.queue = queue
        self.attempt = attempt
        self.maximumAttempts = maximumAttempts
        self.rootID = rootID
        self.logger = logger
        self.time = time
    }
}
