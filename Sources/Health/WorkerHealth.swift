package import Telemetry

/// Judges a worker by what it tells of its progress.
package struct WorkerHealth: Sendable {
    /// How old each sign of progress may be.
    package struct Limits: Sendable, Equatable {
        /// A fetch round trip; an idle worker makes one each `worker.wait_seconds`.
        package var fetch: Duration = .seconds(15)
        /// A renewal of the lease: once it is older than the lease, jobs are taken away.
        package var lease: Duration = .seconds(10)
        /// A loop; long enough for job code that computes on every thread without a pause.
        package var loop: Duration = .seconds(120)

        package init() {}

        /// Limits that fit how long an idle worker waits and how long its lease lasts.
        package init(wait: Duration, lease: Duration) {
            fetch = max(fetch, wait * 3)
            self.lease = lease
        }
    }

    private let vitals: WorkerVitals
    private let limits: Limits

    package init(_ vitals: WorkerVitals, limits: Limits) {
        self.vitals = vitals
        self.limits = limits
    }

    /// The checks of `/startupz`, `/readyz` and `/livez`.
    package var checks: HealthChecks {
        HealthChecks(started: { started }, ready: { ready }, live: { live })
    }

    private var started: [HealthCheck] {
        [
            HealthCheck(
                "prepared", ok: vitals.isPrepared,
                why: vitals.isPrepared ? "scripts and jobs are loaded" : "still loading"),
            HealthCheck(
                "first_fetch", ok: vitals.fetch.count > 0,
                why: vitals.fetch.count > 0
                    ? "Redis has answered a fetch" : "Redis has not answered a fetch yet"),
        ]
    }

    private var ready: [HealthCheck] {
        [
            HealthCheck(
                "first_fetch", ok: vitals.fetch.count > 0,
                why: vitals.fetch.count > 0
                    ? "Redis has answered a fetch" : "Redis has not answered a fetch yet"),
            age("fetch", vitals.fetch.age, limits.fetch, atRest: "every slot is taken"),
            age("lease", vitals.lease.age, limits.lease, atRest: "nothing is held"),
            HealthCheck(
                "taking_work", ok: !vitals.isDraining && !vitals.isQuiet,
                why: vitals.isDraining ? "draining" : vitals.isQuiet ? "quiet" : "yes"),
        ]
    }

    private var live: [HealthCheck] {
        let loops = WorkerVitals.Loop.allCases.compactMap { loop in
            vitals.age(of: loop).map { age(loop.rawValue, $0, limits.loop, atRest: "") }
        }
        return [HealthCheck("probes", ok: true, why: "this answer")] + loops
    }

    private func age(
        _ name: String, _ age: Duration?, _ limit: Duration, atRest: String
    ) -> HealthCheck {
        guard let age else { return HealthCheck(name, ok: true, why: atRest) }
        guard age > limit else {
            return HealthCheck(name, ok: true, why: "\(age.inWords) ago")
        }
        return HealthCheck(
            name, ok: false, why: "nothing for \(age.inWords); the limit is \(limit.inWords)")
    }
}

extension Duration {
    /// Seconds to a tenth, with their unit.
    var inWords: String {
        let (seconds, attoseconds) = components
        return "\(seconds).\(attoseconds / 100_000_000_000_000_000) s"
    }
}
