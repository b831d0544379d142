package import JobModel

/// The limits and waits of a scheduler.
package struct SchedulerOptions: Sendable, Equatable {
    /// How far ahead of the clock an entry's last tick may lie without a warning.
    package var clockTolerance = Duration.seconds(60)
    /// The longest sleep, so that a clock that was set and an entry that was added are noticed.
    package var longestSleep = Duration.seconds(1)
    /// The shortest sleep, so that a wake-up a moment early does not spin.
    package var shortestSleep = Duration.milliseconds(1)
    /// The wait after a failed round; it grows while Redis stays away.
    package var backoff = Backoff.exponential(base: .milliseconds(500), cap: .seconds(15))

    package init() {}
}
