import JobModel
import Store
package import Telemetry

/// What the relay counts, measures and tells of itself.
package struct RelayMetrics: Sendable {
    /// A round that succeeded, moved something or not.
    package let rounds: Pulse
    /// The loop went round, well or not.
    package let loop: Pulse
    let refused: Counter
    /// Seconds; beyond that somebody made the row up.
    private static let longestWait = 1e9
    private let relayed: Counter
    private let repeated: Counter
    private let parkedTotal: Counter
    private let wait: Histogram
    private let pending: Gauge
    private let oldest: Gauge
    private let parked: Gauge

    package init(registry: MetricRegistry, clock: any Clock<Duration> = ContinuousClock()) {
        let (rounds, loop) = (Pulse(clock: clock), Pulse(clock: clock))
        self.rounds = rounds
        self.loop = loop
        relayed = registry.counter(
            "backhaul_outbox_relayed_total", "Jobs pushed from the outbox to their queues."
        ).series()
        repeated = registry.counter(
            "backhaul_outbox_repeats_total",
            "Rows not pushed again because an earlier round had pushed them before it was cut off."
        ).series()
        parkedTotal = registry.counter(
            "backhaul_outbox_parked_total", "Rows set aside because they cannot be pushed."
        ).series()
        refused = registry.counter(
            "backhaul_outbox_refused_total",
            "Batches not pushed because their claim was too old; they are claimed again."
        ).series()
        wait = registry.histogram(
            "backhaul_outbox_wait_seconds",
            "From the insert of a row to its claim, the writer's own transaction included.",
            bounds: .durations([
                .milliseconds(5), .milliseconds(10), .milliseconds(25), .milliseconds(50),
                .milliseconds(100), .milliseconds(250), .milliseconds(500), .seconds(1),
                .seconds(5), .seconds(30), .seconds(60), .seconds(300), .seconds(3600),
            ])
        ).series()
        pending = registry.gauge(
            "backhaul_outbox_pending",
            "Rows that wait in the outbox, counted every few seconds, up to a million."
        ).series()
        oldest = registry.gauge(
            "backhaul_outbox_oldest_age_seconds", "How long the oldest row has waited; 0 for none."
        ).series()
        parked = registry.gauge(
            "backhaul_outbox_parked", "Rows that were set aside and wait for somebody to decide."
        ).series()
        // Not known before the first look.
        for gauge in [pending, oldest, parked] { gauge.set(.nan) }
        registry.computed(
            .gauge, "backhaul_outbox_round_age_seconds",
            "Since the relay last looked at the outbox with success."
        ) { rounds.age?.inSeconds }
    }

    func note(_ report: RelayRound.Report) {
        relayed.add(report.pushed)
        repeated.add(report.repeated)
        parkedTotal.add(report.parked.count)
        rounds.beat()
    }

    func note(waits: [Double]) {
        for seconds in waits where seconds.isFinite {
            wait.observe(.seconds(min(max(seconds, 0), Self.longestWait)))
        }
    }

    func note(_ status: OutboxStatus?) {
        pending.set(status.map { Double($0.pending) } ?? .nan)
        oldest.set(status.map { $0.oldest?.inSeconds ?? 0 } ?? .nan)
        parked.set(status.map { Double($0.parked) } ?? .nan)
    }
}
