import Redis
import Testing

@Suite("Waiting between attempts to connect")
struct ReconnectBackoffTests {
    @Test("the bound doubles up to the cap, for any number of attempts")
    func bound() {
        let backoff = ReconnectBackoff(base: .milliseconds(50), cap: .seconds(5))
        let bounds = [0, 1, 2, 6, 7, 1_000_000, .max].map { backoff.bound(attempt: $0) }
        #expect(
            bounds == [
                .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(3200),
                .seconds(5), .seconds(5), .seconds(5),
            ])
    }

    @Test("the wait fills the whole range from zero to the bound")
    func jitter() {
        let backoff = ReconnectBackoff()
        var random = SystemRandomNumberGenerator()
        let waits = (0..<1000).map { _ in backoff.delay(attempt: 3, using: &random) }
        let bound = backoff.bound(attempt: 3)
        #expect(waits.allSatisfy { $0 >= .zero && $0 <= bound })
        #expect(waits.contains { $0 < bound / 4 } && waits.contains { $0 > bound * 3 / 4 })
    }
}
