import Broker
import JobModel
package import Logging
import Mailbox
package import Telemetry

/// Reports that the broker cannot be used: one line when it begins, one when it ends, however many
/// loops of the process meet it.
package final class Outage: Sendable {
    private static let firstDelay = Duration.milliseconds(50)
    private static let longestDelay = Duration.seconds(2)

    private struct State {
        var since: ContinuousClock.Instant?
        /// The loops that have failed and not succeeded since, and how often each has failed.
        var failures: [String: Int] = [:]
    }

    private let state = Locked(State())
    private let logger: Logger
    private let metrics: WorkerMetrics?
    private let clock = ContinuousClock()

    package init(logger: Logger, metrics: WorkerMetrics? = nil) {
        self.logger = logger
        self.metrics = metrics
    }

    /// One loop's view: what it reports and asks.
    struct Witness: Sendable {
        fileprivate let outage: Outage
        fileprivate let name: String

        /// Notes a failure; returns how long to wait before the next try.
        func began(_ error: BrokerError) -> Duration { outage.began(error, for: name) }

        /// Notes a success.
        func ended() { outage.ended(for: name) }
    }

    /// The view of the loop of this name.
    func witness(_ name: String) -> Witness { Witness(outage: self, name: name) }

    /// How long it has lasted; zero when there is none.
    package var age: Duration {
        state.withLock { state in state.since.map { clock.now - $0 } ?? .zero }
    }

    private func began(_ error: BrokerError, for witness: String) -> Duration {
        let (isFirst, failures) = state.withLock { state in
            let isFirst = state.since == nil
            state.since = state.since ?? clock.now
            state.failures[witness, default: 0] += 1
            return (isFirst, state.failures[witness] ?? 0)
        }
        if isFirst {
            metrics?.brokerFailed()
            logger.error(
                "the broker cannot be used; trying again",
                metadata: [
                    LogKey.errorCode: "\(error.code.name)", LogKey.errorMessage: "\(error)",
                ])
        }
        var random = SystemRandomNumberGenerator()
        return Self.firstDelay
            + Backoff.exponential(base: Self.firstDelay, cap: Self.longestDelay)
            .delay(beforeRetry: failures - 1, using: &random)
    }

    /// Over when the last loop that failed has succeeded.
    private func ended(for witness: String) {
        let since: ContinuousClock.Instant? = state.withLock { state in
            guard state.failures.removeValue(forKey: witness) != nil, state.failures.isEmpty else {
                return nil
            }
            defer { state.since = nil }
            return state.since
        }
        guard let since else { return }
        metrics?.brokerAnswered()
        let seconds = (clock.now - since).inSeconds
        logger.notice(
            "the broker can be used again",
            metadata: [LogKey.outageSeconds: "\((seconds * 10).rounded() / 10)"])
    }
}
