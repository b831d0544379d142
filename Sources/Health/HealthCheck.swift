/// One thing that was looked at, and what was seen.
package struct HealthCheck: Sendable, Equatable, Codable {
    package let name: String
    package let ok: Bool
    /// What was seen, in a few words; no address and no secret.
    package let why: String

    package init(_ name: String, ok: Bool, why: String) {
        self.name = name
        self.ok = ok
        self.why = why
    }
}

/// What the three probes look at.
///
/// The closures run on the thread that answers probes: they read what is in memory, and never wait.
package struct HealthChecks: Sendable {
    /// Whether the process is up: until then nobody judges the others.
    package let started: @Sendable () -> [HealthCheck]
    /// Whether it takes work and can hold it.
    package let ready: @Sendable () -> [HealthCheck]
    /// Whether a restart would not help.
    ///
    /// A server that is away is no reason to fail: it would be as far away after the restart.
    package let live: @Sendable () -> [HealthCheck]

    package init(
        started: @escaping @Sendable () -> [HealthCheck],
        ready: @escaping @Sendable () -> [HealthCheck],
        live: @escaping @Sendable () -> [HealthCheck]
    ) {
        self.started = started
        self.ready = ready
        self.live = live
    }
}
