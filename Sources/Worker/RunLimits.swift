import JobModel

/// When a run is cancelled, and when it is given up.
struct RunLimits: Sendable, Equatable {
    /// How long a body that was cancelled at its hard limit may take to end.
    static let hardLimitGrace = Duration.seconds(1)

    /// After this long the body's task is cancelled.
    let cancelAfter: Duration
    /// What the cancellation means: another attempt, or the end.
    let cut: Stint.Cut
    /// After this long nobody waits for the body any more.
    let abandonAfter: Duration
    /// The limit named in the report of a run that was given up.
    let hardLimit: Duration

    /// Celery's `timelimit` header goes before what operators `set`, and that before the job's policy;
    /// a soft limit without a hard one is followed by one `margin` later.
    init(
        message: JobMessage, policy: JobPolicy, set: JobTuning.Limits? = nil, margin: Duration
    ) {
        self.init(
            soft: message.softTimeLimit ?? set?.soft, hard: message.hardTimeLimit ?? set?.hard,
            policy: policy, margin: margin)
    }

    init(soft: Duration?, hard: Duration?, policy: JobPolicy, margin: Duration) {
        let softLimit = soft ?? min(policy.timeLimit, hard ?? policy.timeLimit)
        let hardLimit = hard ?? (soft == nil ? policy.hardTimeLimit : nil) ?? softLimit + margin
        self.hardLimit = hardLimit
        if softLimit < hardLimit {
            cancelAfter = softLimit
            cut = .softLimit(softLimit)
            abandonAfter = hardLimit
        } else {
            cancelAfter = hardLimit
            cut = .hardLimit(hardLimit)
            abandonAfter = hardLimit + Self.hardLimitGrace
        }
    }
}
