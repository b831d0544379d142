import TestSupport
import Testing

@testable import JobModel

@Suite("Backoff")
struct BackoffTests {
    @Test("exponential waits are spread between zero and the doubling, never beyond the cap")
    func exponential() {
        var random = RepeatableRandom()
        let backoff = Backoff.exponential(base: .seconds(1), cap: .seconds(600))
        for retry in 0..<80 {
            let ceiling = retry < 10 ? Double(1 << retry) : 600
            var longest = 0.0
            for _ in 0..<200 {
                let wait = backoff.delay(beforeRetry: retry, using: &random).inSeconds
                #expect(wait >= 0 && wait <= min(ceiling, 600), "seed \(random.seed)")
                longest = max(longest, wait)
            }
            #expect(longest > min(ceiling, 600) / 2, "seed \(random.seed)")
        }
    }

    @Test("absurd retries and bases neither trap nor wait")
    func extremes() {
        var random = RepeatableRandom()
        let backoff = Backoff.exponential(base: .seconds(1), cap: .seconds(600))
        #expect(backoff.delay(beforeRetry: -5, using: &random) <= .seconds(1))
        #expect(backoff.delay(beforeRetry: .max, using: &random) <= .seconds(600))
        #expect(
            Backoff.exponential(base: .zero, cap: .seconds(1)).delay(beforeRetry: 3, using: &random)
                == .zero)
        #expect(Backoff.schedule([], jitter: 0).delay(beforeRetry: 0, using: &random) == .zero)
    }

    @Test("a schedule is followed, and its last entry repeats")
    func schedule() {
        var random = RepeatableRandom()
        let waits: [Duration] = [.seconds(1), .seconds(60), .seconds(3600)]
        let exact = Backoff.schedule(waits, jitter: 0)
        #expect(
            (0..<5).map { exact.delay(beforeRetry: $0, using: &random) } == waits + [
                waits[2], waits[2],
            ])
        let varied = Backoff.schedule(waits, jitter: 0.1)
        for _ in 0..<200 {
            let wait = varied.delay(beforeRetry: 1, using: &random).inSeconds
            #expect((54...66).contains(wait), "seed \(random.seed)")
        }
    }

    @Test("durations are counted in seconds and whole milliseconds")
    func units() {
        #expect(Duration.milliseconds(1500).inSeconds == 1.5)
        #expect(Duration.microseconds(1999).inMilliseconds == 1)
        #expect(Duration.seconds(2).inMilliseconds == 2000)
    }
}
