import Foundation

/// Wall and processor time of this process since it was made, and how a benchmark tells them.
struct ProcessTiming {
    private let wall = Self.seconds(CLOCK_MONOTONIC)
    private let processor = Self.seconds(CLOCK_PROCESS_CPUTIME_ID)

    /// What has passed until now.
    func read() -> (seconds: Double, cpuSeconds: Double) {
        (
            Self.seconds(CLOCK_MONOTONIC) - wall,
            Self.seconds(CLOCK_PROCESS_CPUTIME_ID) - processor
        )
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var now = timespec()
        unsafe clock_gettime(clock, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    /// Prints one JSON object, with keys as Python likes them.
    static func print(_ outcome: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        Swift.print(String(decoding: try encoder.encode(outcome), as: UTF8.self))
    }
}
