package import Foundation

/// When something recurs, as a pure function of time: every scheduler computes the same ticks.
package enum Schedule: Sendable, Hashable {
    /// The wall-clock minutes a crontab names in a zone; see `docs/scheduling.md` for what happens
    /// when the clock changes.
    case crontab(CronExpression, zone: TimeZone)

    /// Every multiple of a positive interval since 1970-01-01 00:00 UTC, to the microsecond.
    ///
    /// Anchored to the epoch rather than to the last run: nothing drifts, and schedulers agree
    /// without shared state.
    case every(Duration)

    /// The first tick later than `date`; nil when there is none within forty years.
    package func next(after date: Date) -> Date? {
        switch self {
        case .crontab(let expression, let zone):
            return ZonedCrontab(expression: expression, zone: zone).next(after: date)
        case .every(let interval):
            guard let now = date.microseconds else { return nil }
            let step = interval.inMicroseconds
            return Date(microseconds: (now.dividedDown(by: step) + 1) * step)
        }
    }

    /// The newest tick that is later than `start` and not later than `end`.
    ///
    /// Costs some thirty searches at most, however many ticks lie between.
    package func latest(after start: Date, upTo end: Date) -> Date? {
        guard let first = next(after: start), first <= end else { return nil }
        switch self {
        case .crontab:
            return bisect(from: first, upTo: end)
        case .every(let interval):
            guard let now = end.microseconds else { return nil }
            let step = interval.inMicroseconds
            return max(first, Date(microseconds: now.dividedDown(by: step) * step))
        }
    }

    /// The newest tick earlier than `date`; nil when there is none within forty years.
    package func latest(before date: Date) -> Date? {
        switch self {
        case .crontab:
            let end = date.addingTimeInterval(-Self.moment)
            var span = 60.0
            while span < Double(ZonedCrontab.horizon) {
                if let tick = latest(after: date.addingTimeInterval(-span), upTo: end) {
                    return tick
                }
                span *= 4
            }
            return latest(
                after: date.addingTimeInterval(-Double(ZonedCrontab.horizon)), upTo: end)
        case .every(let interval):
            guard let now = date.microseconds else { return nil }
            let step = interval.inMicroseconds
            return Date(microseconds: (now - 1).dividedDown(by: step) * step)
        }
    }

    /// How many ticks are later than `start` and not later than `end`.
    ///
    /// Exact, and not counted one by one: an interval's ticks are a division, a crontab's a step for
    /// each day. A crontab's ticks more than forty years before `end` are left out.
    package func count(after start: Date, upTo end: Date) -> Int {
        guard start < end else { return 0 }
        switch self {
        case .crontab(let expression, let zone):
            return ZonedCrontab(expression: expression, zone: zone).count(after: start, upTo: end)
        case .every(let interval):
            guard let first = start.microseconds, let last = end.microseconds else { return 0 }
            let step = interval.inMicroseconds
            return Int(last.dividedDown(by: step) - first.dividedDown(by: step))
        }
    }

    /// Less than the time between two ticks, seconds; due times are kept in milliseconds.
    package static let moment = 0.001

    /// Narrows [tick, end] until no tick lies between; crontab ticks fall on whole seconds.
    private func bisect(from first: Date, upTo end: Date) -> Date {
        var newest = first
        var barren = end.timeIntervalSince1970.rounded(.down)
        while barren - newest.timeIntervalSince1970 >= 1 {
            let middle = ((newest.timeIntervalSince1970 + barren) / 2).rounded(.down)
            if let tick = next(after: Date(timeIntervalSince1970: middle)), tick <= end {
                newest = tick
            } else {
                barren = middle
            }
        }
        return newest
    }
}

extension Date {
    /// Microseconds since 1970, to the nearest, which hides the rounding of `Double`.
    fileprivate var microseconds: Int64? {
        let microseconds = (timeIntervalSince1970 * 1e6).rounded()
        // A quarter of the range, so that adding an interval cannot overflow.
        guard abs(microseconds) < 0x1p61 else { return nil }
        return Int64(microseconds)
    }

    fileprivate init(microseconds: Int64) {
        self.init(timeIntervalSince1970: Double(microseconds) / 1e6)
    }
}

extension Duration {
    fileprivate var inMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        precondition(microseconds > 0, "an interval is at least one microsecond")
        return microseconds
    }
}
