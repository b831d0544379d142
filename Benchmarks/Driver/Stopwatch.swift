import Glibc

/// Time by the clock and by the processor since it was made.
struct Stopwatch {
    private let started = Self.nanoseconds(CLOCK_MONOTONIC)
    private let busy = Self.nanoseconds(CLOCK_PROCESS_CPUTIME_ID)

    /// Seconds by the clock, and seconds of processor time of this process.
    func read() -> (seconds: Double, cpuSeconds: Double) {
        let seconds = Self.nanoseconds(CLOCK_MONOTONIC) - started
        let cpu = Self.nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - busy
        return (Double(seconds) / 1e9, Double(cpu) / 1e9)
    }

    /// A clock of Linux; `CLOCK_MONOTONIC` is the same for every process.
    static func nanoseconds(_ clock: clockid_t) -> Int {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
