/// Where a worker is in its life.
package enum WorkerPhase: String, Sendable, Codable {
    /// No round trip to Redis has succeeded yet.
    case starting
    case working
    /// Takes nothing more, and goes on running what it has until it is told to stop.
    case quiet
    /// Takes nothing more; running jobs finish within the grace period.
    case draining
    /// Running jobs were asked to end.
    case cancelling
    case stopped
}

/// What a worker is doing, at a glance; computed without asking Redis.
package struct WorkerStatus: Sendable, Equatable, Codable {
    package var phase = WorkerPhase.working
    /// Jobs whose bodies run.
    package var running = 0
    /// Messages reserved and not yet settled.
    package var held = 0
    /// Lanes given up to bodies that ignored their cancellation.
    package var lostSlots = 0
    package var concurrency = 0
    /// Messages settled since the start, whatever became of them.
    package var jobsDone = 0
    /// Seconds since a fetch last succeeded, or since there was last nothing to fetch for; `nil`
    /// before the first.
    package var fetchAgeSeconds: Double?
    /// Seconds since the lease was last renewed.
    package var leaseAgeSeconds = 0.0

    /// A worker that has nothing to do yet.
    package init() {}
}

/// How a worker's run ended.
package enum WorkerEnd: Sendable, Equatable {
    /// It was told to stop.
    case drained
    /// It was not admitted: it would lose what it took.
    case refused
    /// It wants to be started anew.
    case recycle(because: String)
}
