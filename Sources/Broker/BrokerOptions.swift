package import JobModel
package import Redis

/// What an operator decides about the queues.
package struct BrokerOptions: Sendable {
    /// kombu's `global_keyprefix`.
    package var keyPrefix = ""
    /// How long a worker's lease lasts after its last renewal.
    package var lease = Duration.seconds(5)
    /// How long a worker must be seen without a lease before its messages are put back.
    package var reclaimGrace = Duration.seconds(2)
    /// How many workers may die holding a message before it goes to quarantine.
    package var maximumDeaths = 3
    /// After how long a message that a Python worker holds counts as abandoned; Celery's own
    /// setting of the same name.
    package var visibilityTimeout = Duration.seconds(3600)
    /// Whether results are stored at all.
    package var storesResults = true
    /// How long results are kept; zero keeps them for ever.
    package var resultExpires = Duration.seconds(86400)
    /// The most entries kept in the dead letters, and in quarantine; the oldest go first, counted.
    package var maximumDead = 100_000
    package var maximumQuarantined = 100_000
    /// How old they may become there; zero is for ever.
    package var maximumDeadAge = Duration.seconds(90 * 86_400)
    package var maximumQuarantinedAge = Duration.seconds(30 * 86_400)
    /// How long the wish to cancel a job is remembered, and how many such wishes.
    package var cancellationKept = Duration.seconds(7 * 86_400)
    package var maximumCancelled = 100_000
    /// Guards switched off for the negative controls of the fault suite; never in production.
    package var weakened = WeakenedGuards()
    /// The most bytes of messages one reserve takes, the last chunk excepted.
    package var reserveBytes = 8 * 1024 * 1024
    /// The largest message that is sent.
    package var maximumMessageBytes = 16 * 1024 * 1024
    /// Named in messages as their origin.
    package var origin = "backhaul"
    /// What is known of the jobs, for what a workflow sends next.
    package var canvas = CanvasRules()
    /// Times and limits of chords.
    package var chords = ChordLimits()
    /// Times and limits of messages that are too many for one step.
    package var staging = StagingLimits()
    /// Times and limits of each connection.
    package var redis = RedisOptions()

    package init(keyPrefix: String = "") { self.keyPrefix = keyPrefix }
}

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
