import Foundation
import JobModel
import Mailbox

/// A wall clock that a test sets, or that moves by itself once all who use it are asleep.
///
/// While anyone is awake time stands still, so what a test sees does not depend on the machine.
final class VirtualTime: TimeSource {
    private struct Sleeper {
        let deadline: Date
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var date: Date
        var end = Date.distantPast
        var participants = 1
        var sleepers: [Int: Sleeper] = [:]
        var cancelled: Set<Int> = []
        var lastNumber = 0

        var earliest: Date? {
            guard sleepers.count >= participants else { return nil }
            return sleepers.values.map(\.deadline).min()
        }
    }

    private let state: Locked<State>

    /// From a text such as `2026-03-29T00:59:00Z`.
    init(_ text: String) { state = Locked(State(date: instant(text))) }

    var now: Date { state.withLock { $0.date } }

    /// Whether time went as far as it may, and everyone sleeps.
    var isAtRest: Bool {
        state.withLock { state in state.earliest.map { $0 >= state.end } ?? false }
    }

    func set(_ text: String) { state.withLock { $0.date = instant(text) } }

    /// Lets time move by itself, but not to `end`, whenever `participants` are asleep.
    func run(until end: String, participants: Int) {
        state.withLock { state in
            state.end = instant(end)
            state.participants = participants
        }
    }

    func sleep(until deadline: Date) async throws {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                fallAsleep(number, Sleeper(deadline: deadline, continuation: continuation))
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                let sleeper = state.sleepers.removeValue(forKey: number)
                if sleeper == nil { state.cancelled.insert(number) }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    private func fallAsleep(_ number: Int, _ sleeper: Sleeper) {
        let (isCancelled, woken) = state.withLock { state -> (Bool, [Sleeper]) in
            if state.cancelled.remove(number) != nil { return (true, []) }
            state.sleepers[number] = sleeper
            guard let earliest = state.earliest, earliest < state.end else { return (false, []) }
            state.date = max(state.date, earliest)
            let woken = state.sleepers.filter { $0.value.deadline <= state.date }
            for number in woken.keys { state.sleepers[number] = nil }
            return (false, Array(woken.values))
        }
        if isCancelled { sleeper.continuation.resume(throwing: CancellationError()) }
        for sleeper in woken { sleeper.continuation.resume() }
    }
}

/// Sleeps in virtual time.
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

    var now: Instant { Instant(date: time.now) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try await time.sleep(until: deadline.date)
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
