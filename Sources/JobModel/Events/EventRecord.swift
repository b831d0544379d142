package import Foundation

/// Something that happened to a worker or to a job, as Celery's monitors are told of it.
///
/// Source: Celery's guide to monitoring, "Events".
package struct EventRecord: Sendable {
    /// What happened; each is one type of Celery's events.
    package enum Happening: Sendable {
        case workerOnline(WorkerBeat)
        case workerHeartbeat(WorkerBeat)
        case workerOffline(WorkerBeat)
        /// A call of our own beside that of a peer, which asks all workers to agree on who does
        /// something.
        case electionJoined(ElectionCall)
        /// The answer to such a peer.
        case electionAcknowledged(id: String)
        case taskReceived(JobMessage)
        case taskStarted(JobID)
        /// `result` is the text of what was returned.
        case taskSucceeded(JobID, result: String, runtime: Duration)
        case taskFailed(JobID, TaskFailure)
        case taskRetried(JobID, TaskFailure)
        /// `signal` is what a running one was ended by.
        case taskRevoked(JobID, signal: Int?, isExpired: Bool)
        case taskRejected(JobID, isRequeued: Bool)
    }

    package let happening: Happening
    /// The logical time, which orders the events of all processes.
    package let clock: Int
    /// When it happened, by the clock of this machine.
    package let date: Date

    package init(_ happening: Happening, clock: Int, at date: Date) {
        self.happening = happening
        self.clock = clock
        self.date = date
    }

    /// Whether it is about a job; those are sent many to a message.
    package var isAboutTask: Bool {
        switch happening {
        case .workerOnline, .workerHeartbeat, .workerOffline, .electionJoined,
            .electionAcknowledged:
            false
        case .taskReceived, .taskStarted, .taskSucceeded, .taskFailed, .taskRetried, .taskRevoked,
            .taskRejected:
            true
        }
    }

    /// The most bytes it keeps in memory, roughly.
    package var weight: Int {
        switch happening {
        case .taskReceived(let message): message.raw.count
        default: Self.smallWeight
        }
    }

    /// Ids, texts cut at ``PythonRepr/maximumCharacters``, and the record itself.
    private static let smallWeight = 1024
}

/// What a worker says of itself every few seconds.
package struct WorkerBeat: Sendable, Equatable {
    /// What software the worker is.
    package static let software = "backhaul"

    /// How often a heartbeat comes; after two of them without one a worker counts as gone.
    package static let interval = Duration.seconds(2)

    /// Jobs that run.
    package var active: Int
    /// Jobs that are over, since the start.
    package var processed: Int
    /// The load of the machine over 1, 5 and 15 minutes.
    package var load = [0.0, 0.0, 0.0]
    /// Of this program.
    package var version = ""

    package init(active: Int, processed: Int) {
        self.active = active
        self.processed = processed
    }
}

/// Why a job failed, as monitors show it.
package struct TaskFailure: Sendable, Equatable {
    /// The exception as Python's `repr` shows it.
    package let exception: String
    /// Text in the form of a Python traceback; `nil` when the job never ran.
    package let traceback: String?

    package init(exception: String, traceback: String?) {
        self.exception = exception
        self.traceback = traceback
    }

    /// The failure of a job named `name`.
    package init(_ report: FailureReport, name: String) {
        let isUnknown = report.pythonType == .notRegistered
        exception = PythonRepr.call(
            report.pythonType.name,
            report.pythonType.arguments ?? [.string(isUnknown ? name : report.message)])
        traceback = isUnknown ? nil : ResultRecord.traceback(report, name: name)
    }
}
