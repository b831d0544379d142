/// The limits and times of one connection.
package struct RedisOptions: Sendable {
    /// For name resolution, asking Sentinels, connecting and the handshake together.
    package var connectTimeout: Duration = .seconds(5)
    /// For one command or pipeline that names no time of its own, waiting for a connection included.
    package var commandTimeout: Duration = .seconds(10)
    /// Commands waiting or under way; one more is refused as `.overloaded`.
    package var maximumPendingCommands = 65_536
    /// Bytes of commands waiting or under way; what would exceed them is refused as `.overloaded`.
    package var maximumPendingBytes = 256 * 1024 * 1024
    /// Bytes of one reply; a longer one closes the connection.
    package var maximumReplyBytes = 512 * 1024 * 1024
    /// How long to wait between attempts to connect.
    package var reconnect = ReconnectBackoff()
    /// What `CLIENT LIST` shows; without spaces, nil for none.
    package var clientName: String?

    package init() {}
}

/// Waiting times between attempts to connect: exponential with full jitter, so that the clients of
/// a server that comes back do not return all at once.
package struct ReconnectBackoff: Sendable, Equatable {
    /// The upper bound of the first wait.
    package var base: Duration
    /// The upper bound of every wait.
    package var cap: Duration

    package init(base: Duration = .milliseconds(50), cap: Duration = .seconds(2)) {
        precondition(base > .zero && cap >= base, "a backoff grows from above zero to its cap")
        self.base = base
        self.cap = cap
    }

    /// The longest wait before attempt `attempt`, counted from 0.
    package func bound(attempt: Int) -> Duration {
        var bound = base
        var doublings = max(0, attempt)
        while doublings > 0 && bound < cap {
            bound *= 2
            doublings -= 1
        }
        return min(bound, cap)
    }

    /// A random wait between zero and ``bound(attempt:)``.
    package func delay(
        attempt: Int, using random: inout some RandomNumberGenerator
    ) -> Duration {
        bound(attempt: attempt) * Double.random(in: 0...1, using: &random)
    }
}
