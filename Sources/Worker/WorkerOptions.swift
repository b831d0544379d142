package import JobModel

/// What an operator decides about one worker process.
package struct WorkerOptions: Sendable {
    /// Queues to serve; all are read in turn, within one priority step.
    package var queues: [QueueName]
    /// Jobs that run at the same time.
    package var concurrency = 64
    /// The name by which commands and monitors know the worker, such as `backhaul@host`.
    package var nodeName = "backhaul@localhost"
    /// Messages held beyond those that run, however long jobs take: Celery's prefetch.
    package var prefetch = 0
    /// How many lanes there may be, following the load; nil for always as many as `concurrency`.
    package var autoscale: ClosedRange<Int>?
    /// Whether commands that are broadcast are heard.
    package var hearsCommands = true
    /// Messages taken, and outcomes settled, in one round trip at most.
    package var batchSize = 64
    /// How long an idle worker blocks on a list before it looks at all of them again.
    package var waitLimit = Duration.seconds(5)
    /// How long the lease lasts after a renewal; the broker's own setting.
    package var lease = Duration.seconds(5)
    /// How often the lease is renewed.
    package var leaseRenewal = Duration.milliseconds(1500)
    /// How many workers may die holding a message before it goes to quarantine; the broker's own
    /// setting.
    package var maximumDeaths = 3
    /// How long after its cancellation a run is given up, unless its hard limit says otherwise.
    package var hardLimitMargin = Duration.seconds(30)
    /// How long running jobs may go on once draining has begun.
    package var grace = Duration.seconds(25)
    /// How long jobs that were asked to end may take before they are given up and put back.
    package var cancelLimit = Duration.seconds(5)
    /// Outcomes that may wait for Redis before jobs are held up.
    package var maximumUnsettled = 4096
    /// How long a stopping worker tries to settle what Redis does not answer; the lease has run out
    /// by then, and others bring the jobs back.
    package var settleLimit = Duration.seconds(10)
    /// Messages of dead workers put back in one step at most.
    package var maintenanceBatch = 100
    /// The longest sleep between two looks for dead workers.
    package var reapingInterval = Duration.milliseconds(500)
    /// How often wishes to cancel jobs are looked for.
    package var cancellationInterval = Duration.seconds(1)
    /// What is accepted from a queue.
    package var limits = WireLimits()
    /// What monitors are told.
    package var events = EventOptions()
    /// Whether results are stored at all.
    package var storesResults = true
    /// How much they tell, and when they are written.
    package var results = ResultRules()

    package init(queues: [QueueName]) {
        precondition(!queues.isEmpty, "a worker serves at least one queue")
        self.queues = queues
    }
}
