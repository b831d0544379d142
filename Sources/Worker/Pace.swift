import JobModel
import Mailbox

/// How long jobs have taken of late: an exponentially weighted mean of their run times.
final class Pace: Sendable {
    /// Below this mean, reserving one batch ahead pays; above it, it would only hold jobs back that
    /// an idle worker could run.
    static let briskLimit = 0.010

    private let meanSeconds = Locked(1.0)

    /// Takes in one run; each counts for an eighth.
    func record(_ elapsed: Duration) {
        let seconds = elapsed.inSeconds
        meanSeconds.withLock { $0 += (seconds - $0) / 8 }
    }

    /// Whether jobs are short enough to fetch ahead.
    var isBrisk: Bool { meanSeconds.withLock { $0 < Self.briskLimit } }
}
