import JobModel

/// A body that runs, and when it must end.
struct ActiveRun: Sendable {
    let scope: JobScope
    let kind: JobKind
    let limits: RunLimits
    /// Held while a message runs that other workers died holding.
    let pass: SuspectLane.Pass?
    let startedAt: ContinuousClock.Instant
    var cancelAt: ContinuousClock.Instant
    var abandonAt: ContinuousClock.Instant
    /// What giving it up means.
    var cut: Stint.Cut
    var isAbandoned = false

    init(
        _ scope: JobScope, _ kind: JobKind, _ limits: RunLimits, _ pass: SuspectLane.Pass?,
        at now: ContinuousClock.Instant
    ) {
        self.scope = scope
        self.kind = kind
        self.limits = limits
        self.pass = pass
        startedAt = now
        cancelAt = now + limits.cancelAfter
        abandonAt = now + limits.abandonAfter
        cut = .hardLimit(limits.hardLimit)
    }
}
