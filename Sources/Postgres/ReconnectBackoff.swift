/// When the next attempt to connect may begin: exponential, half of it random.
struct ReconnectBackoff {
    static let first: Duration = .milliseconds(50)
    static let cap: Duration = .seconds(2)

    private(set) var failures = 0

    mutating func reset() { failures = 0 }

    /// Counts a failure and says how long to wait.
    mutating func delay(using random: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(failures, 10)
        failures += 1
        let ceiling = min(Self.cap, Self.first * (1 << doublings))
        return ceiling * Double.random(in: 0.5...1, using: &random)
    }
}
