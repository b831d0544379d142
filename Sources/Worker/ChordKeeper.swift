import Broker
import JobModel
import Logging

/// Ends chords that nobody else ends, because who was to do it died.
struct ChordKeeper: Sendable {
    /// Between two rounds; also the longest that a chord waits which takes longer to end than its
    /// last member's worker may take.
    static let interval = Duration.milliseconds(500)
    /// Chords looked at in one round.
    static let batch = 100

    let broker: any Broker
    let logger: Logger

    /// One round; returns how long to sleep before the next.
    func runOnce() async throws(BrokerError) -> Duration {
        let tending = try await broker.tendChords(limit: Self.batch)
        for group in tending.recovered {
            logger.notice(
                "ended a chord that its last member's worker left open",
                metadata: [LogKey.groupID: "\(group)"])
        }
        return tending.lookedAt == Self.batch ? .zero : Self.interval
    }
}
