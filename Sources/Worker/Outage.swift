import Broker
import JobModel
import Logging
import Mailbox

/// Reports that the broker cannot be used: one line when it begins, one when it ends.
///
/// A lost connection is reported by the connection itself; this is for what a connected server
/// refuses, and for knowing how long to wait before the next try.
final class Outage: Sendable {
    private static let firstDelay = Duration.milliseconds(50)
    private static let longestDelay = Duration.seconds(2)

    private struct State {
        var since: ContinuousClock.Instant?
        var failures = 0
    }

    private let state = Locked(State())
    private let logger: Logger
    private let clock = ContinuousClock()

    init(logger: Logger) { self.logger = logger }

    /// Notes a failure; returns how long to wait before the next try.
    func began(_ error: BrokerError) -> Duration {
        let (isFirst, failures) = state.withLock { state in
            defer {
                state.since = state.since ?? clock.now
                state.failures += 1
            }
            return (state.since == nil, state.failures)
        }
        if isFirst {
            logger.error(
                "the broker cannot be used; trying again",
                metadata: [
                    LogKey.errorCode: "\(error.code.name)", LogKey.errorMessage: "\(error)",
                ])
        }
        var random = SystemRandomNumberGenerator()
        return Self.firstDelay
            + Backoff.exponential(base: Self.firstDelay, cap: Self.longestDelay)
            .delay(beforeRetry: failures, using: &random)
    }

    /// How long it has lasted; zero when there is none.
    var age: Duration {
        state.withLock { state in state.since.map { clock.now - $0 } ?? .zero }
    }

    /// Notes a success.
    func ended() {
        let since = state.withLock { state in
            defer { state = State() }
            return state.since
        }
        guard let since else { return }
        let seconds = (clock.now - since).inSeconds
        logger.notice(
            "the broker can be used again",
            metadata: [LogKey.outageSeconds: "\((seconds * 10).rounded() / 10)"])
    }
}
