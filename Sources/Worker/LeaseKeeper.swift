import Broker
import JobModel
import Mailbox
import Telemetry

/// Keeps this worker's lease on all that it holds, and knows whether it still stands.
final class LeaseKeeper: Sendable {
    private let broker: any Broker
    private let presence: @Sendable () -> WorkerPresence
    private let options: WorkerOptions
    private let held: HeldLeases
    private let runs: ActiveRuns
    private let metrics: WorkerMetrics
    private let renewal = Locked<(any LeaseRenewal)?>(nil)

    init(
        broker: any Broker, presence: @escaping @Sendable () -> WorkerPresence,
        options: WorkerOptions, held: HeldLeases, runs: ActiveRuns, metrics: WorkerMetrics
    ) {
        self.broker = broker
        self.presence = presence
        self.options = options
        self.held = held
        self.runs = runs
        self.metrics = metrics
    }

    /// Begins to renew.
    func start() {
        let made = broker.keepLease(of: presence, every: options.leaseRenewal) {
            [held, metrics] in
            metrics.vitals.beat(.renewal)
            return held.all
        } renewed: { [runs, metrics] gone in
            metrics.leaseRenewed()
            runs.lose(gone)
        }
        renewal.withLock { $0 = made }
    }

    /// How long ago the lease was last renewed.
    var age: Duration { age(at: .now) }

    /// Whether the lease certainly stands: a message taken under one that may have run out is not
    /// begun.
    func isCurrent(at now: ContinuousClock.Instant = .now) -> Bool { age(at: now) < options.lease }

    private func age(at now: ContinuousClock.Instant) -> Duration {
        let renewedAt = renewal.withLock { $0?.renewedAt }
        return renewedAt.map { now - $0 } ?? .zero
    }

    /// Stops renewing; the lease then runs out by itself.
    func stop() { renewal.withLock { $0 }?.cancel() }
}
