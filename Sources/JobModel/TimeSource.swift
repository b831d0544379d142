public import Foundation

/// The wall clock, as a seam; monotonic time is `any Clock<Duration>`.
public protocol TimeSource: Sendable {
    /// The current date and time.
    var now: Date { get }
}

/// The machine's own clock.
public struct SystemTime: TimeSource {
    /// Makes the clock; it has no state.
    public init() {}

    /// The current date and time of the machine.
    public var now: Date { Date() }
}
