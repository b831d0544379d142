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

    /// How far ahead the search looks, seconds: 29 February on a given weekday may be 40 years
    /// away, across a year such as 2100.
    private static let horizon: Int64 = 41 * 366 * 86_400

    /// The first tick later than `date`; nil past the horizon.
    func next(after date: Date) -> Date? {
        guard let floor = Int64(exactly: date.timeIntervalSince1970.rounded(.down)),
            abs(floor) < Self.horizon * 1000
        else { return nil }
        let start = floor + 1
        let last = start + Self.horizon
        var begin = start - Self.longestRepeat
        var offset = offset(at: begin)
        // Wall-clock seconds below this were shown by an earlier stretch.
        var shown = Int64.min
        while begin < last {
            let end = change(after: begin)
            let wall = max(begin, start) + offset
            let from = expression.runsInRepeatedHour ? wall : max(wall, shown)
            let wallEnd = min(end ?? last, last) + offset
            if let found = firstSecond(from: from, before: wallEnd) {
                return Date(timeIntervalSince1970: Double(found - offset))
            }
            guard let end else { return nil }
            let newOffset = self.offset(at: end)
            let gap = max(end + offset, shown)
            if end >= start, firstSecond(from: gap, before: end + newOffset) != nil {
                return Date(timeIntervalSince1970: Double(end))
            }
            shown = max(shown, end + offset)
            begin = end
            offset = newOffset
        }
        return nil
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
