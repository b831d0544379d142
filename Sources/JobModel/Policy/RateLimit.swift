/// How often jobs of one kind may begin on one worker: Celery's `10/m`.
public struct RateLimit: Sendable, Hashable, CustomStringConvertible {
    /// As it was written.
    public let text: String
    /// The time between two beginnings.
    public let interval: Duration

    /// Reads `10/m`, `5/s`, `1/h` or a plain number of times a second; nil for 0, which is no limit.
    ///
    /// - Throws: `InvalidName` when it cannot be read.
    public init?(_ text: String) throws(InvalidName) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let unit = parts.count == 2 ? parts[1].trimmingPrefix(" ") : "s"
        guard let seconds = Self.units[String(unit)], let count = Double(parts[0]),
            count.isFinite, count >= 0
        else {
            throw InvalidName(
                kind: "rate limit", problem: "must be a number, or one such as 10/m, 5/s or 1/h")
        }
        guard count > 0 else { return nil }
        self.text = text
        interval = .seconds(min(seconds / count, Self.longestInterval))
    }

    /// The longest time between two beginnings, seconds: a year.
    private static let longestInterval = 31_536_000.0
    private static let units = ["s": 1.0, "m": 60.0, "h": 3600.0]

    /// As it was written.
    public var description: String { text }
}

extension RateLimit {
    /// So many a second.
    public static func perSecond(_ count: Int) -> RateLimit { RateLimit(count, "s", 1) }

    /// So many a minute.
    public static func perMinute(_ count: Int) -> RateLimit { RateLimit(count, "m", 60) }

    private init(_ count: Int, _ unit: String, _ seconds: Double) {
        precondition(count > 0, "a rate is above zero")
        text = "\(count)/\(unit)"
        interval = .seconds(seconds / Double(count))
    }
}
