import Foundation

/// A crontab on the wall clock of a time zone, followed over real instants.
///
/// Between two changes of a zone's offset the wall clock runs evenly, so the search goes from one
/// such stretch to the next. At a change there are two rules:
///
/// - The clock skips forward: if a skipped minute is named, one tick falls on the first instant
///   after the gap, however many were skipped.
/// - The clock goes back: minutes that were already shown count once, at their first pass, unless
///   `CronExpression.runsInRepeatedHour`.
struct ZonedCrontab {
    let expression: CronExpression
    let zone: TimeZone

    /// The clock shows nothing twice that is further apart than this, seconds.
    ///
    /// The largest change on record is one day (crossing the date line).
    private static let longestRepeat: Int64 = 2 * 86_400

    /// How far the search looks, seconds: 29 February on a given weekday may be 40 years away, across
    /// a year such as 2100.
    static let horizon: Int64 = 41 * 366 * 86_400

    /// A time between two changes of the offset, or the part of it that is looked at.
    private struct Stretch {
        /// What to add to an instant to get the wall clock's seconds.
        let offset: Int64
        /// The first wall-clock second that counts, and the end.
        let from: Int64
        let wallEnd: Int64
        /// The instant at which it begins, when the wall clock skipped a named minute to get there.
        let makesUpAt: Int64?
    }

    /// The first tick later than `date`; nil past the horizon.
    func next(after date: Date) -> Date? {
        guard let floor = Self.second(date) else { return nil }
        var found: Int64?
        walk(from: floor + 1, before: floor + 1 + Self.horizon) { stretch in
            found =
                stretch.makesUpAt
                ?? firstSecond(from: stretch.from, before: stretch.wallEnd)
                .map { $0 - stretch.offset }
            return found == nil
        }
        return found.map { Date(timeIntervalSince1970: Double($0)) }
    }

    /// How many ticks are later than `start` and not later than `end`; ticks further back than the
    /// horizon from `end` are left out.
    func count(after start: Date, upTo end: Date) -> Int {
        guard let first = Self.second(start), let last = Self.second(end), first < last else {
            return 0
        }
        var count = 0
        walk(from: max(first, last - Self.horizon) + 1, before: last + 1) { stretch in
            var from = stretch.from
            if let instant = stretch.makesUpAt {
                count += 1
                // A minute named at that very instant is the same tick.
                from = max(from, instant + stretch.offset + 1)
            }
            count += expression.countMinutes(
                from: from.dividedUp(by: 60), before: stretch.wallEnd.dividedUp(by: 60))
            return true
        }
        return count
    }

    /// Goes through the stretches between two instants, until `body` says it is enough.
    private func walk(from start: Int64, before last: Int64, _ body: (Stretch) -> Bool) {
        var begin = start - Self.longestRepeat
        var offset = offset(at: begin)
        // Wall-clock seconds below this were shown by an earlier stretch.
        var shown = Int64.min
        var makesUpAt: Int64?
        while begin < last {
            let end = change(after: begin)
            if min(end ?? last, last) > start {
                let wall = max(begin, start) + offset
                let stretch = Stretch(
                    offset: offset,
                    from: expression.runsInRepeatedHour ? wall : max(wall, shown),
                    wallEnd: min(end ?? last, last) + offset, makesUpAt: makesUpAt)
                guard body(stretch) else { return }
            }
            guard let end else { return }
            let newOffset = self.offset(at: end)
            let gap = max(end + offset, shown)
            let isNamed = firstSecond(from: gap, before: end + newOffset) != nil
            makesUpAt = end >= start && isNamed ? end : nil
            shown = max(shown, end + offset)
            begin = end
            offset = newOffset
        }
    }

    /// The whole second at or before a date; nil beyond reason.
    private static func second(_ date: Date) -> Int64? {
        guard let floor = Int64(exactly: date.timeIntervalSince1970.rounded(.down)),
            abs(floor) < horizon * 1000
        else { return nil }
        return floor
    }

    /// The first named wall-clock second in a stretch, all counted from 1970 on that wall clock.
    private func firstSecond(from start: Int64, before end: Int64) -> Int64? {
        guard start < end else { return nil }
        return expression.firstMinute(from: start.dividedUp(by: 60), before: end.dividedUp(by: 60))
            .map { $0 * 60 }
    }

    private func offset(at instant: Int64) -> Int64 {
        Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(instant))))
    }

    /// The next instant at which the offset may change: despite its name, Foundation's method
    /// reports every change of the zone, daylight saving or not.
    private func change(after instant: Int64) -> Int64? {
        let date = Date(timeIntervalSince1970: Double(instant))
        guard let change = zone.nextDaylightSavingTimeTransition(after: date) else { return nil }
        let second = Int64(change.timeIntervalSince1970.rounded())
        return second > instant ? second : nil
    }
}
