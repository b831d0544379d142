public import JobModel

/// What a service decides about a worker of its own; everything but the queues has a default.
public struct JobWorkerOptions: Sendable {
    /// The queues to serve; all are read in turn, within one priority step.
    public var queues: [QueueName]
    /// The name by which `celery inspect`, `celery control` and monitors know it, such as
    /// `billing@web01`; `celery@<host>` unless given.
    public var name: String?
    /// How many jobs may run at the same time.
    public var concurrency = 64
    /// How many messages are held beyond those that run, however long jobs take: Celery's prefetch.
    public var prefetch = 0
    /// Whether monitors are told of every job from the start; they can ask for it later.
    public var tellsOfJobs = false
    /// What `celery inspect conf` shows; must hold no secret.
    public var reportedSettings = JSONObject()
    /// kombu's `global_keyprefix`: put before every key.
    public var keyPrefix = ""
    /// How long running jobs may go on once it was told to stop; then they are cancelled, and put
    /// back.
    public var grace = Duration.seconds(25)
    /// How long a message that a Python worker holds stays with it; Celery's own setting of the same
    /// name.
    public var visibilityTimeout = Duration.seconds(3600)
    /// What is kept of finished jobs for whoever waits on them.
    public var results = JobResultOptions()
    /// What it says of its version to monitors.
    public var version = "0"
    /// Called, perhaps more than once and from a thread of the worker's own, when jobs that ignore
    /// their cancellation block every thread, and nothing but the end of the process helps; ends the
    /// process with status 70 unless given.
    public var onStuck: (@Sendable () -> Void)?

    /// Options for a worker of these queues.
    public init(queues: [QueueName] = [.celery]) {
        precondition(!queues.isEmpty, "a worker serves at least one queue")
        self.queues = queues
    }
}

/// What is kept of finished jobs: the same choices as Celery's `result_*` settings.
public struct JobResultOptions: Sendable, Equatable {
    /// Whether results are written at all.
    public var areKept = true
    /// How long a result is kept; zero keeps it for ever.
    public var expires = Duration.seconds(86_400)
    /// The same for failures; as long as other results when `nil`.
    public var failureExpires: Duration?
    /// Whether a result also tells name, arguments, worker, retries and queue of its job.
    public var areExtended = false
    /// Whether it is written that a job has begun: one more write for each job.
    public var trackStarted = false
    /// Whether failures are written even of jobs whose results nobody wants.
    public var keepsIgnoredErrors = false

    /// The defaults, which are Celery's.
    public init() {}
}
