import NIOCore

/// The shortest of the last round trips: the way to the server and back, whatever the server is busy
/// with between.
struct LeastRoundTrip {
    /// So many round trips are looked back upon, up to twice as many.
    private static let window = 64

    private var count = 0
    private var present = TimeAmount.hours(1)
    private var past = TimeAmount.hours(1)

    /// Takes one in; says the shortest now.
    mutating func record(_ roundTrip: TimeAmount) -> TimeAmount {
        present = min(present, roundTrip)
        let least = min(present, past)
        count += 1
        if count == Self.window {
            (past, present, count) = (present, .hours(1), 0)
        }
        return least
    }
}
