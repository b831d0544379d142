import Foundation
import JobModel
import Mailbox

/// A wall clock that a test sets.
final class VirtualTime: TimeSource {
    private let date: Locked<Date>

    init(_ date: Date) { self.date = Locked(date) }

    /// From a text such as `2026-03-29T00:59:00Z`.
    convenience init(_ text: String) { self.init(instant(text)) }

    var now: Date { date.withLock { $0 } }

    func set(_ text: String) { date.withLock { $0 = instant(text) } }

    func advance(by seconds: Double) { date.withLock { $0 += seconds } }

    /// Never goes back: several sleepers push the same time.
    func advance(to later: Date) { date.withLock { $0 = max($0, later) } }
}

/// A clock that does not wait: a sleep moves the virtual time to its deadline.
///
/// Past `end` a sleep lasts until it is cancelled.
struct VirtualClock: Clock {
    struct Instant: InstantProtocol {
        var date: Date

        func advanced(by duration: Duration) -> Instant {
            Instant(date: date.addingTimeInterval(duration.inSeconds))
        }

        func duration(to other: Instant) -> Duration {
            .seconds(other.date.timeIntervalSince(date))
        }

        static func < (left: Instant, right: Instant) -> Bool { left.date < right.date }
    }

    let time: VirtualTime
    let end: Date

    var now: Instant { Instant(date: time.now) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try Task.checkCancellation()
        guard deadline.date < end else {
            // Nobody sends: only cancellation ends the wait.
            for await _ in AsyncStream<Never>.makeStream().stream {}
            throw CancellationError()
        }
        time.advance(to: deadline.date)
        await Task.yield()
    }
}

/// A date from a text such as `2026-03-29T00:59:00Z`; a bad text is a bug of the test.
func instant(_ text: String) -> Date {
    do {
        return try Date(text, strategy: .iso8601)
    } catch {
        preconditionFailure("\(text) is not a date: \(error)")
    }
}
