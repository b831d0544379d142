import JobModel

/// How long chords may take, and how many are watched.
package struct ChordLimits: Sendable {
    /// How long the parts of a chord are kept after the last of them, at least: a day, as in Celery,
    /// although results may go sooner.
    package var kept = Duration.seconds(86_400)
    /// The same where results are kept for ever.
    package var keptForEver = Duration.seconds(30 * 86_400)
    /// How long a claim lasts; Celery's own, twice `result_chord_join_timeout`.
    package var claim = Duration.seconds(6)
    /// How long after its last part an open chord is looked at.
    package var look = Duration.seconds(10)
    /// How long late parts are told that the chord is over; Celery's own.
    package var over = Duration.seconds(300)
    /// How long the results of a saved group are waited for, all together; Celery's
    /// `result_chord_join_timeout`.
    package var join = Duration.seconds(3)
    /// Between two looks at results that are waited for.
    package var joinPoll = Duration.milliseconds(20)
    /// The most chords that are watched; whoever claims one of the others and dies keeps it from
    /// ending.
    package var maximumOpen = 100_000
    /// The most parts of a chord that is ended at once by whoever settles its last member.
    package var maximumPartsAtOnce = 2000
    /// The most bytes of parts that are gathered for one body.
    package var maximumJoinBytes = 128 * 1024 * 1024

    package init() {}

    /// Seconds for which a chord's keys live from now on.
    func keptSeconds(results: Duration) -> Int {
        Int((results == .zero ? keptForEver : max(results, kept)).inSeconds)
    }
}

/// When messages are staged, and how.
package struct StagingLimits: Sendable {
    /// The most messages, and bytes of them, that one step sends.
    package var maximumMessages = 500
    package var maximumBytes = 4 * 1024 * 1024
    /// How many messages, and bytes of them, one chunk has.
    package var chunkMessages = 200
    package var chunkBytes = 1024 * 1024
    /// How long staged messages are kept that no step says are to be sent.
    package var kept = Duration.seconds(3600)
    /// How long whoever staged them is left alone with moving them.
    package var grace = Duration.seconds(3)

    package init() {}
}
