import JobModel
import Mailbox

/// What the queue server's clock says at the least, without asking it.
///
/// A reading is as old as its answer, or older: counting on from when the answer came never runs
/// ahead, so that a claim is never taken for younger than it is.
final class RemoteClock: Sendable {
    private struct Reading {
        let remote: Int64
        let local: Int64
    }

    private let elapsed: @Sendable () -> Duration
    private let reading = Locked<Reading?>(nil)

    init(clock: any Clock<Duration>) { elapsed = Self.stopwatch(clock) }

    /// Takes a reading that has just come; in ms since 1970.
    func note(_ remote: Int64) {
        let local = elapsed().inMilliseconds
        reading.withLock { $0 = Reading(remote: remote, local: local) }
    }

    /// The least it may be now; nil before the first reading.
    var now: Int64? {
        let local = elapsed().inMilliseconds
        return reading.withLock { $0 }.map { $0.remote + max(0, local - $0.local) }
    }

    private static func stopwatch<Meter: Clock>(
        _ clock: Meter
    ) -> @Sendable () -> Duration where Meter.Duration == Duration {
        let origin = clock.now
        return { origin.duration(to: clock.now) }
    }
}
