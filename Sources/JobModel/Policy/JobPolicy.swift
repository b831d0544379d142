/// How a kind of job is queued, repeated and bounded.
public struct JobPolicy: Sendable, Equatable {
    /// Where Swift producers send it unless told otherwise.
    public var queue: QueueName
    /// How failures are repeated.
    public var retry: RetryPolicy
    /// How long one run may take before its task is cancelled and the attempt fails.
    public var timeLimit: Duration
    /// How long one run may take before it is given up although it ignores its cancellation.
    ///
    /// The job is then settled as timed out, and the process recycled. `nil` leaves it to the
    /// worker's `hard_limit_margin_seconds`.
    public var hardTimeLimit: Duration?
    /// Whether the result is kept for `AsyncResult.get()`, unless the message says otherwise.
    public var storesResult: Bool
    /// Whether it is written that a run has begun, even where that is not done for all jobs.
    public var tracksStarted = false
    /// How often one worker may begin such a job; `nil` for as often as it can.
    public var rateLimit: RateLimit?

    /// A policy; every part has a default.
    public init(
        queue: QueueName = .celery, retry: RetryPolicy = RetryPolicy(),
        timeLimit: Duration = .seconds(300), hardTimeLimit: Duration? = nil,
        storesResult: Bool = true, rateLimit: RateLimit? = nil
    ) {
        self.queue = queue
        self.retry = retry
        self.timeLimit = timeLimit
        self.hardTimeLimit = hardTimeLimit
        self.storesResult = storesResult
        self.rateLimit = rateLimit
    }
}
