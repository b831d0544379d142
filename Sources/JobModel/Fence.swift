/// Orders reservations: of two reservations of one message, the later has the greater fence.
///
/// An effect that is recorded under a fence can refuse a holder whose lease ran out while it
/// stalled: the message's next holder has shown a greater one.
public struct Fence: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Microseconds since 1970 by Redis' clock, or one more than the fence before it, whichever is
    /// greater: it rises through restarts of Redis from an older copy, and through clock jumps.
    public let number: Int64

    /// Wraps a number that the reservation gave.
    public init(_ number: Int64) { self.number = number }

    /// Below every reservation: for bodies that run without one, as in tests.
    public static let none = Fence(0)

    /// The number.
    public var description: String { String(number) }

    /// Whether `left` was given before `right`.
    public static func < (left: Fence, right: Fence) -> Bool { left.number < right.number }
}
