import Broker
import JobModel
import Logging

/// Keeps the dead letters and quarantine within their bounds, and says what that cost.
struct GraveKeeper: Sendable {
    /// Entries of each grave dropped in one script at most.
    static let batch = 500
    /// Between two rounds: the bounds are days and ten thousands.
    static let interval = Duration.seconds(30)
    /// Between two rounds while more may have to go, so that Redis has time for jobs.
    static let pause = Duration.milliseconds(50)

    let broker: any Broker
    let logger: Logger

    /// One round; returns how long to sleep before the next.
    func runOnce() async throws(BrokerError) -> Duration {
        let trim = try await broker.trimGraves(limit: Self.batch)
        for grave in Grave.allCases {
            if let count = trim.dropped[grave] {
                logger.warning(
                    "dropped buried messages beyond the most that are kept",
                    metadata: [LogKey.graveName: "\(grave.rawValue)", LogKey.count: "\(count)"])
            }
            if let count = trim.expired[grave] {
                logger.notice(
                    "dropped buried messages that were too old",
                    metadata: [LogKey.graveName: "\(grave.rawValue)", LogKey.count: "\(count)"])
            }
        }
        let isFull = Grave.allCases.contains {
            trim.dropped[$0, default: 0] + trim.expired[$0, default: 0] >= Self.batch
        }
        return isFull ? Self.pause : Self.interval
    }
}
