import JobModel
import Mailbox

/// How long jobs have taken of late: an exponentially weighted mean of their run times.
final class Pace: Sendable {
    /// Below this mean, reserving one batch ahead pays; above it, it would only hold jobs back that
    /// an idle worker could run.
    static let briskLimit = 0.010
    /// Below this mean, a batch is run in less time than the next one takes to come: two are held, or
    /// from a distant server three, those on their way included.
    static let fleetingLimit = 0.001

    private let meanSeconds = Locked(1.0)

    /// Takes in one run; each counts for an eighth.
    func record(_ elapsed: Duration) {
        let seconds = elapsed.inSeconds
        meanSeconds.withLock { $0 += (seconds - $0) / 8 }
    }

    /// How many batches to have beyond what runs.
    func batchesAhead(isFar: Bool) -> Int {
        let mean = meanSeconds.withLock { $0 }
        return mean < Self.fleetingLimit ? (isFar ? 3 : 2) : mean < Self.briskLimit ? 1 : 0
    }
}
