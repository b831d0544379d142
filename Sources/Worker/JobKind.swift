import JobModel
import Synchronization

/// One kind of job in one worker: what it is, and how often it has begun.
final class JobKind: Sendable {
    let job: RegisteredJob
    private let begun = Atomic(0)

    /// The limits of a run when neither its message nor an operator says otherwise.
    private let usualLimits: RunLimits
    private let margin: Duration

    init(_ job: RegisteredJob, margin: Duration) {
        self.job = job
        self.margin = margin
        usualLimits = RunLimits(soft: nil, hard: nil, policy: job.policy, margin: margin)
    }

    /// The limits of a run.
    func limits(of message: JobMessage, set: JobTuning.Limits?) -> RunLimits {
        if message.softTimeLimit == nil, message.hardTimeLimit == nil, set == nil {
            return usualLimits
        }
        return RunLimits(message: message, policy: job.policy, set: set, margin: margin)
    }

    /// Counts one more run.
    func countRun() { begun.wrappingAdd(1, ordering: .relaxed) }

    /// Runs begun so far.
    var runCount: Int { begun.load(ordering: .relaxed) }
}

/// The kinds of job that a worker can run, by name.
struct JobKinds: Sendable {
    private let kinds: [JobName: JobKind]

    /// `margin` is between a soft limit and its hard one.
    init(_ registry: JobRegistry, margin: Duration) {
        kinds = Dictionary(
            uniqueKeysWithValues: registry.names.compactMap { name in
                registry[name].map { (name, JobKind($0, margin: margin)) }
            })
    }

    /// The kind of that name, if this worker has it.
    subscript(name: JobName) -> JobKind? { kinds[name] }

    /// Runs begun so far, of those kinds that had any.
    var started: [JobName: Int] { kinds.mapValues(\.runCount).filter { $0.value > 0 } }
}
