import JobModel
import Logging
import Mailbox
import ProcessControl
import Worker

/// What each signal means to a worker process; README.md has the table.
///
/// Handled on the signals' own thread, so that jobs which block every other thread cannot keep a
/// worker from hearing that it should stop.
final class WorkerSignals: Sendable {
    private struct State {
        /// Requests to stop, from the supervisor and from anybody else: told apart because a service
        /// manager may tell both the supervisor and its processes of one stop.
        var stops = (supervisor: 0, others: 0)
        var isReloading = false
        var isStopping = false
    }

    private let worker: any WorkerControl
    private let supervisor: Int32?
    private let checkSettings: @Sendable () -> String?
    private let willReload: @Sendable () -> Void
    private let willStop: @Sendable () -> Void
    private let logger: Logger
    private let state = Locked(State())

    /// Makes the table; nothing is listened to here.
    ///
    /// Requests of the process `supervisor` are counted apart. `checkSettings` says what is wrong
    /// with the settings as they are now; `willReload` and `willStop` are called before draining.
    init(
        _ worker: any WorkerControl, supervisor: Int32?,
        checkSettings: @escaping @Sendable () -> String?,
        willReload: @escaping @Sendable () -> Void, willStop: @escaping @Sendable () -> Void,
        logger: Logger
    ) {
        self.worker = worker
        self.supervisor = supervisor
        self.checkSettings = checkSettings
        self.willReload = willReload
        self.willStop = willStop
        self.logger = logger
    }

    /// Whether the process is to be started anew once it has drained.
    var isReloading: Bool { state.withLock { $0.isReloading } }

    /// Whether the process was told to end, which wins over everything else.
    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Acts on one signal.
    func handle(_ received: SignalReader.Received) {
        let signal = received.signal
        switch signal {
        case .term, .int: stop(received)
        case .quit:
            logger.notice("told to stop", metadata: [LogKey.signal: "\(signal)"])
            state.withLock { state in
                state.isReloading = false
                state.isStopping = true
            }
            willStop()
            worker.abandon()
        case .tstp, .usr1:
            logger.notice("told to be quiet", metadata: [LogKey.signal: "\(signal)"])
            worker.quiet()
        case .usr2, .ttin: dump()
        case .hup: reload(signal)
        case .kill, .stop, .cont: break
        }
    }

    private func stop(_ received: SignalReader.Received) {
        let count = state.withLock { state in
            state.isReloading = false
            state.isStopping = true
            if received.sender == supervisor {
                state.stops.supervisor += 1
            } else {
                state.stops.others += 1
            }
            return max(state.stops.supervisor, state.stops.others)
        }
        logger.notice("told to stop", metadata: [LogKey.signal: "\(received.signal)"])
        switch count {
        case 1:
            willStop()
            worker.drain()
        case 2: if received.signal == .int { worker.abandon() } else { worker.cancel() }
        default:
            // Jobs that ignore cancellation: their lease runs out, and another worker takes them.
            logger.error("stopped with jobs still running")
            ProcessImage.endThisProcess(code: 1)
        }
    }

    private func reload(_ signal: ProcessSignal) {
        if let problem = checkSettings() {
            logger.error(
                "the settings cannot be used; going on with the old ones",
                metadata: [LogKey.errorMessage: "\(problem)"])
            return
        }
        logger.notice("told to start anew", metadata: [LogKey.signal: "\(signal)"])
        let isFirst = state.withLock { state in
            // A process that ends does not start anew.
            guard !state.isStopping, !state.isReloading else { return false }
            state.isReloading = true
            return true
        }
        guard isFirst else { return }
        willReload()
        worker.drain()
    }

    /// The state of the worker, for whoever wants to know what it is at.
    private func dump() {
        let status = worker.status
        var facts: Logger.Metadata = [
            LogKey.phase: "\(status.phase.rawValue)", LogKey.concurrency: "\(status.concurrency)",
            "running": "\(status.running)", "held": "\(status.held)",
            "lost_slots": "\(status.lostSlots)", "done": "\(status.jobsDone)",
        ]
        let (fetchAge, leaseAge): (Double?, Double?) = (
            status.fetchAgeSeconds, status.leaseAgeSeconds
        )
        if let fetchAge { facts["fetch_age_s"] = "\(fetchAge)" }
        if let leaseAge { facts["lease_age_s"] = "\(leaseAge)" }
        logger.notice("state of the worker", metadata: facts)
        for job in worker.runningJobs {
            logger.notice(
                "a job is running",
                metadata: [
                    LogKey.jobID: "\(job.id)", LogKey.jobName: "\(job.name)",
                    LogKey.queueName: "\(job.queue)", LogKey.jobAttempt: "\(job.attempt)",
                    "elapsed_s": "\(job.elapsedSeconds)", "cancelled": "\(job.isCancelled)",
                ])
        }
    }
}
