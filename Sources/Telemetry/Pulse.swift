import Synchronization

/// How long ago something last happened, told by any thread without a lock.
///
/// While it rests nothing is expected, and there is no age. Before the first beat the age counts
/// from the beginning, so that what never happens is noticed too.
package final class Pulse: Sendable {
    private let elapsed: @Sendable () -> Duration
    /// Nanoseconds from the origin to the last beat, or to when one began to be expected.
    private let mark = Atomic<Int64>(0)
    private let beats = Atomic<Int>(0)
    private let isAtRest = Atomic<Bool>(false)

    package init(clock: any Clock<Duration> = ContinuousClock()) {
        elapsed = Self.stopwatch(clock)
    }

    /// It happened.
    package func beat() {
        mark.store(now, ordering: .relaxed)
        beats.wrappingAdd(1, ordering: .releasing)
    }

    /// Nothing is expected until ``resume()``.
    package func rest() { isAtRest.store(true, ordering: .releasing) }

    /// It is expected again, from now on.
    package func resume() {
        // Every fetch says so; only the end of a rest begins a new count.
        guard isAtRest.load(ordering: .acquiring) else { return }
        mark.store(now, ordering: .relaxed)
        isAtRest.store(false, ordering: .releasing)
    }

    /// How often it happened.
    package var count: Int { beats.load(ordering: .acquiring) }

    /// How long ago it last happened; nil at rest.
    package var age: Duration? {
        guard !isAtRest.load(ordering: .acquiring) else { return nil }
        return .nanoseconds(max(0, now - mark.load(ordering: .relaxed)))
    }

    private var now: Int64 {
        let (seconds, attoseconds) = elapsed().components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    private static func stopwatch<Meter: Clock>(
        _ clock: Meter
    ) -> @Sendable () -> Duration where Meter.Duration == Duration {
        let origin = clock.now
        return { origin.duration(to: clock.now) }
    }
}
