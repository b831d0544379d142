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
    /// What must be done before anybody judges the others.
    package let started: @Sendable () -> [HealthCheck]
    /// What it needs to take work and to hold it.
    package let ready: @Sendable () -> [HealthCheck]
    /// What a restart would mend.
    ///
    /// A server that is away does not belong here: it would be as far away after the restart.
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
