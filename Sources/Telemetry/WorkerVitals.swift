import Synchronization

/// What a worker tells of its own progress, for probes, the watchdog and metrics.
///
/// Telling is an atomic store; nothing here waits or fails.
package final class WorkerVitals: Sendable {
    /// The loops whose standing still means that the process is wedged.
    package enum Loop: String, Sendable, CaseIterable {
        /// Promotes and reclaims; goes round during an outage too.
        case maintenance
        /// Sends lease renewals from the event loop, answered or not.
        case renewal
        /// Runs on the cooperative pool, which job code can block.
        case pool
    }

    /// Successful round trips that ask for work; at rest while no work is wanted.
    package let fetch: Pulse
    /// Successful renewals of the lease; at rest while nothing is held.
    package let lease: Pulse
    private let loops: [Loop: Pulse]
    private let prepared = Atomic<Bool>(false)
    private let quiet = Atomic<Bool>(false)
    private let draining = Atomic<Bool>(false)
    private let clock: any Clock<Duration>

    /// How often ``keepTicking()`` beats.
    package static let tick = Duration.seconds(1)

    package init(clock: any Clock<Duration> = ContinuousClock()) {
        self.clock = clock
        fetch = Pulse(clock: clock)
        lease = Pulse(clock: clock)
        loops = Dictionary(uniqueKeysWithValues: Loop.allCases.map { ($0, Pulse(clock: clock)) })
    }

    /// A loop went round once more.
    package func beat(_ loop: Loop) { loops[loop]?.beat() }

    /// How long ago a loop last went round; nil before the first time.
    package func age(of loop: Loop) -> Duration? {
        guard let pulse = loops[loop], pulse.count > 0 else { return nil }
        return pulse.age
    }

    /// Scripts are loaded and jobs are known.
    package func notePrepared() { prepared.store(true, ordering: .releasing) }

    /// No new work is taken until told otherwise.
    package func note(quiet isQuiet: Bool) { quiet.store(isQuiet, ordering: .releasing) }

    /// The process is on its way out.
    package func noteDraining() { draining.store(true, ordering: .releasing) }

    package var isPrepared: Bool { prepared.load(ordering: .acquiring) }
    package var isQuiet: Bool { quiet.load(ordering: .acquiring) }
    package var isDraining: Bool { draining.load(ordering: .acquiring) }

    /// Beats ``Loop/pool`` every second until cancelled: it stops when job code blocks every thread.
    package func keepTicking() async {
        repeat { beat(.pool) } while (try? await clock.sleep(for: Self.tick)) != nil
    }
}
