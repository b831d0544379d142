import Worker

/// What the process around a worker asks of it; every verb may be said from any thread, any number
/// of times.
protocol WorkerControl: Sendable {
    /// Works until drained.
    func run() async -> WorkerEnd
    /// Takes nothing more and stays.
    func quiet()
    /// Takes nothing more, lets jobs finish within their grace, then cancels them.
    func drain()
    /// Cancels running jobs and gives their messages back.
    func cancel()
    /// Gives everything back now, also what ignores its cancellation.
    func abandon()
    /// Drains, then ends with `.recycle`.
    func recycle(because reason: String)
    var status: WorkerStatus { get }
    var runningJobs: [RunningJob] { get }
    /// Whether the broker is known to be away: then nothing can be fetched, and a restart would not
    /// help.
    var isBrokerAway: Bool { get }
}

extension WorkerService: WorkerControl {
    var isBrokerAway: Bool { outageAge > .zero }
}
