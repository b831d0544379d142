import Logging
import Mailbox
import TestSupport
import Testing

@testable import Health

/// A clock that stands still until it is moved; whoever sleeps for a second moves it.
///
/// Longer sleeps are time limits, which nothing here reaches.
final class SteppedClock: Clock {
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
        let time = now.duration(to: deadline)
        guard time <= .seconds(1) else { return try await Task.sleep(for: .seconds(3600)) }
        advance(by: time)
    }
}

@Suite("The watchdog")
struct WatchdogTests {
    /// Lets a judge see one second after the other; returns when it found a stall.
    private func stall(
        limit: Int = 30, seconds: Int = 300, age: (Int) -> Duration?, answers: (Int) -> Bool,
        gap: (Int) -> Duration = { _ in .seconds(1) }
    ) -> Int? {
        var judge = StallJudge(limit: .seconds(limit), interval: .seconds(1))
        return (1...seconds).first { second in
            judge.isSuspicious(age: age(second), after: gap(second))
                && judge.isStalled(serverAnswers: answers(second))
        }
    }

    @Test("a worker that fetches nothing while Redis answers is wedged once the limit is reached")
    func wedged() {
        #expect(stall(age: { .seconds($0) }, answers: { _ in true }) == 30)
        #expect(stall(limit: 10, age: { .seconds($0) }, answers: { _ in true }) == 10)
    }

    @Test("a worker that fetches now and then is well")
    func well() {
        #expect(stall(age: { .seconds($0 % 25) }, answers: { _ in true }) == nil)
    }

    @Test("while Redis does not answer nothing is restarted, however long that takes")
    func outage() {
        #expect(stall(seconds: 10_000, age: { .seconds($0) }, answers: { _ in false }) == nil)
    }

    @Test("a worker has time to find Redis again after an outage")
    func recovery() {
        // Redis is back after 100 s, the worker after 110.
        #expect(
            stall(
                age: { $0 < 110 ? .seconds($0) : .seconds(($0 - 110) % 5) },
                answers: { $0 >= 100 }) == nil)
        // A worker that does not find it is wedged.
        #expect(stall(age: { .seconds($0) }, answers: { $0 >= 100 }) == 115)
    }

    @Test("a Redis that answers only now and then restarts nothing")
    func flapping() {
        #expect(stall(seconds: 5000, age: { .seconds($0) }, answers: { $0 % 10 != 0 }) == nil)
    }

    @Test("a process that was suspended for an hour is not wedged when it wakes")
    func suspended() {
        #expect(
            stall(
                age: { $0 < 50 ? .seconds($0 % 5) : $0 < 60 ? .seconds(3600) : .seconds($0 % 5) },
                answers: { _ in true }, gap: { $0 == 50 ? .seconds(3600) : .seconds(1) }) == nil)
    }

    @Test("a worker that wants no work cannot be wedged")
    func atRest() {
        #expect(stall(age: { _ in nil }, answers: { _ in true }) == nil)
    }

    private func watchdog(
        limit: Duration = .seconds(30), clock: SteppedClock, isSuspended: Bool = false,
        log: RecordedLog, stalls: Probe<String>, probe: @escaping @Sendable () async -> Bool
    ) -> Watchdog {
        let start = clock.now
        return Watchdog(
            limit: limit, clock: clock, fetchAge: { start.duration(to: clock.now) },
            isSuspended: { isSuspended }, probe: probe, logger: log.logger,
            onStall: { stalls.record($0) })
    }

    @Test("it tells of a stall once, with one error line, and ends")
    func barks() async {
        let log = RecordedLog()
        let stalls = Probe<String>()
        let asked = Probe<Void>()
        await watchdog(clock: SteppedClock(), log: log, stalls: stalls) {
            asked.record(())
            return true
        }.run()
        #expect(stalls.count == 1)
        #expect(stalls.values.first?.hasPrefix("no fetch for 3") == true)
        #expect(log.lines.map(\.level) == [.error])
        // Redis is left alone until there is a suspicion.
        #expect((10...20).contains(asked.count))
    }

    @Test("switched off it ends at once; told to stop it stops")
    func ends() async throws {
        let log = RecordedLog()
        let stalls = Probe<String>()
        await watchdog(limit: .zero, clock: SteppedClock(), log: log, stalls: stalls) { true }.run()
        let clock = SteppedClock()
        try await withThrowingTaskGroup(of: Void.self) { group in
            let suspended = watchdog(
                clock: clock, isSuspended: true, log: log, stalls: stalls
            ) { true }
            let away = watchdog(clock: clock, log: log, stalls: stalls) { false }
            group.addTask { await suspended.run() }
            group.addTask { await away.run() }
            try await eventually("an hour") { clock.now.offset > .seconds(3600) }
            group.cancelAll()
        }
        #expect(stalls.count == 0)
        #expect(log.lines.isEmpty)
    }
}
