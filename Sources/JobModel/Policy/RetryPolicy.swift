/// How often a failed job is tried again, and after what wait.
public struct RetryPolicy: Sendable, Equatable {
    /// Retries after the first run; 0 means a failure is final.
    public var maximumRetries: Int
    /// The wait before each retry.
    public var backoff: Backoff

    /// Ten retries from one second to ten minutes unless told otherwise.
    public init(
        maximumRetries: Int = 10,
        backoff: Backoff = .exponential(base: .seconds(1), cap: .seconds(600))
    ) {
        precondition(maximumRetries >= 0, "a job cannot be retried fewer than zero times")
        self.maximumRetries = maximumRetries
        self.backoff = backoff
    }

    /// Never again after the first failure.
    public static let never = RetryPolicy(maximumRetries: 0)
}

/// The wait before the next attempt: a pure function of the attempt and a random source.
public enum Backoff: Sendable, Equatable {
    /// Full jitter: uniform between zero and min(cap, base × 2^retry).
    ///
    /// Source: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    case exponential(base: Duration, cap: Duration)

    /// A fixed schedule, each wait varied by ± `jitter` (0.1 is ten per cent); the last entry
    /// repeats.
    case schedule([Duration], jitter: Double)

    /// The wait before retry number `retry` (0 for the first).
    public func delay(
        beforeRetry retry: Int, using random: inout some RandomNumberGenerator
    ) -> Duration {
        switch self {
        case .exponential(let base, let cap):
            let doublings = min(max(retry, 0), 62)
            let ceiling = min(
                cap.inSeconds, base.inSeconds * Double(UInt64(1) << UInt64(doublings)))
            guard ceiling > 0 else { return .zero }
            return .seconds(Double.random(in: 0...ceiling, using: &random))
        case .schedule(let waits, let jitter):
            guard let last = waits.last else { return .zero }
            let wait = retry < waits.count ? waits[max(retry, 0)] : last
            guard jitter > 0 else { return wait }
            return wait * Double.random(in: (1 - jitter)...(1 + jitter), using: &random)
        }
    }
}

extension Duration {
    /// The length in seconds, with fractions.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    /// The length in whole milliseconds, rounded down.
    package var inMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
