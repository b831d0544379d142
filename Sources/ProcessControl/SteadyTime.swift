import Glibc

/// The clock that never goes back, for deadlines on threads of our own.
package enum SteadyTime {
    /// The time since some fixed moment, usually the machine's start.
    ///
    /// It stands still while the machine is suspended. Source: clock_gettime(2), CLOCK_MONOTONIC.
    package static var now: Duration {
        var time = timespec()
        // Safe: `time` is written before the call returns.
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

extension Duration {
    /// For poll(2): whole milliseconds, rounded up, never negative.
    var pollTimeout: Int32 {
        let (seconds, attoseconds) = components
        let milliseconds = Double(seconds) * 1000 + Double(attoseconds) / 1e15
        return Int32(min(max(milliseconds.rounded(.up), 0), Double(Int32.max)))
    }
}
