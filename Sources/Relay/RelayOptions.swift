package import JobModel

/// How the relay moves rows of the outbox to their queues.
package struct RelayOptions: Sendable {
    /// The most rows claimed in one transaction.
    package var batch = 1000
    /// How many batches are on their way at once while there is more than one.
    package var lanes = 2
    /// Between two looks at the outbox while rows come in.
    package var busyPoll = Duration.milliseconds(25)
    /// Between two looks while none do.
    package var idlePoll = Duration.milliseconds(100)
    /// How long after the last row the outbox counts as busy.
    package var busyFor = Duration.seconds(1)
    /// Between two looks at how many rows wait and how many are set aside.
    package var watch = Duration.seconds(5)
    /// The wait after a failed round; it grows while a server stays away.
    package var backoff = Backoff.exponential(base: .milliseconds(250), cap: .seconds(2))
    /// The most ids whose confirmation waits for the next call.
    package var maximumUnconfirmed = 100_000
    /// How deep the JSON of a row may be nested.
    package var limits = WireLimits()

    package init() {}
}
