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
    /// What is known of the jobs that workflows send.
    package var canvas = CanvasRules()
    /// How long results are kept; zero keeps them for ever.
    package var resultExpires = Duration.seconds(86400)
    /// The same for failures; as long as other results when `nil`.
    package var failureExpires: Duration?
    /// The most entries kept in the dead letters, and in quarantine; the oldest go first, counted.
    package var maximumDead = 100_000
    package var maximumQuarantined = 100_000
    /// How old they may become there; zero is for ever.
    package var maximumDeadAge = Duration.seconds(90 * 86_400)
    package var maximumQuarantinedAge = Duration.seconds(30 * 86_400)
    /// How long the wish to cancel a job is remembered, and how many such wishes.
    package var cancellationKept = Duration.seconds(7 * 86_400)
    package var maximumCancelled = 100_000
    /// The most lines of the log of ticks, about; the oldest go first.
    package var maximumTickLog = 100_000
    /// Guards switched off for the negative controls of the fault suite; never in production.
    package var weakened = WeakenedGuards()
    /// The most bytes of messages one reserve takes, the last chunk excepted.
    package var reserveBytes = 8 * 1024 * 1024
    /// The largest message that is sent.
    package var maximumMessageBytes = 16 * 1024 * 1024
    /// Named in messages as their origin.
    package var origin = "backhaul"
    /// Times and limits of chords.
    package var chords = ChordLimits()
    /// Times and limits of messages that are too many for one step.
    package var staging = StagingLimits()
    /// How relays of an outbox are protected from each other.
    package var outbox = OutboxLimits()
    /// Times and limits of each connection.
    package var redis = RedisOptions()

    package init(keyPrefix: String = "") { self.keyPrefix = keyPrefix }

    /// How long a record in that state is kept, in seconds; zero is for ever.
    func secondsKept(_ state: ResultRecord.State?) -> Int {
        Int((state == .failure ? failureExpires ?? resultExpires : resultExpires).inSeconds)
    }
}
