import Mailbox
import Testing

@testable import Telemetry

/// A clock that stands still until it is moved.
final class HandClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration

        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let state = Locked(Instant(offset: .zero))

    var now: Instant { state.withLock { $0 } }
    var minimumResolution: Duration { .nanoseconds(1) }
    func advance(by duration: Duration) { state.withLock { $0 = $0.advanced(by: duration) } }
    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try Task.checkCancellation()
        advance(by: now.duration(to: deadline))
    }
}

@Suite("How long ago something happened")
struct PulseTests {
    private let clock = HandClock()

    @Test("the age counts from the beginning, then from each beat")
    func age() {
        let pulse = Pulse(clock: clock)
        clock.advance(by: .seconds(3))
        #expect(pulse.age == .seconds(3))
        #expect(pulse.count == 0)
        pulse.beat()
        clock.advance(by: .milliseconds(250))
        #expect(pulse.age == .milliseconds(250))
        #expect(pulse.count == 1)
    }

    @Test("at rest there is no age, and afterwards it begins anew")
    func rest() {
        let pulse = Pulse(clock: clock)
        pulse.rest()
        clock.advance(by: .seconds(600))
        #expect(pulse.age == nil)
        pulse.resume()
        clock.advance(by: .seconds(2))
        #expect(pulse.age == .seconds(2))
    }

    @Test("resuming what does not rest changes nothing: a wedged fetch cannot look young")
    func resumingTwice() {
        let pulse = Pulse(clock: clock)
        clock.advance(by: .seconds(5))
        pulse.resume()
        clock.advance(by: .seconds(5))
        #expect(pulse.age == .seconds(10))
    }
}
