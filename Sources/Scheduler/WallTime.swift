import Foundation
import JobModel

/// A date with an optional time of day, as an entry's `starts` and `ends` are written.
struct WallTime {
    struct Failure: Error {
        let problem: String
    }

    private let day: CivilDay
    /// Seconds after midnight on the wall clock; nil for a date alone.
    private let timeOfDay: Int64?
    /// Seconds east of UTC, when they are written.
    private let offset: Int64?

    /// Reads `2026-05-02`, `2026-05-02T12:00`, `2026-05-02T12:00:30`, each time with an optional
    /// `Z` or `+02:00`.
    init(_ text: String) throws(Failure) {
        let form = #/(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d)?)?/#
        guard let match = text.wholeMatch(of: form), let day = CivilDay(text: match.output.1),
            let (timeOfDay, offset) = Self.time(
                match.output.2, match.output.3, match.output.4, match.output.5)
        else {
            throw Failure(
                problem: "\"\(text)\" is not a date such as 2026-05-02, or a time such as"
                    + " 2026-05-02T12:00 or 2026-05-02T12:00+02:00")
        }
        self.day = day
        self.timeOfDay = timeOfDay
        self.offset = offset
    }

    private static func time(
        _ hour: Substring?, _ minute: Substring?, _ second: Substring?, _ zone: Substring?
    ) -> (Int64?, Int64?)? {
        guard let hour, let minute else { return (nil, nil) }
        guard let hours = Int64(hour), let minutes = Int64(minute),
            let seconds = Int64(second ?? "0"), hours < 24, minutes < 60, seconds < 60
        else { return nil }
        let timeOfDay = hours * 3600 + minutes * 60 + seconds
        guard let zone, zone != "Z" else { return (timeOfDay, zone == nil ? nil : 0) }
        guard let east = Int64(zone.dropFirst().prefix(2)), let rest = Int64(zone.suffix(2)),
            east < 24, rest < 60
        else { return nil }
        return (timeOfDay, (east * 3600 + rest * 60) * (zone.hasPrefix("-") ? -1 : 1))
    }

    /// The instant; of a date alone, its beginning.
    func beginning(in zone: TimeZone) -> Date { instant(day.number, timeOfDay ?? 0, zone) }

    /// The instant; of a date alone, the beginning of the next.
    func end(in zone: TimeZone) -> Date {
        timeOfDay.map { instant(day.number, $0, zone) } ?? instant(day.number + 1, 0, zone)
    }

    /// The first instant at which the wall clock shows this, or, when it is skipped, the one after
    /// as long as if it had not been.
    private func instant(_ day: Int64, _ timeOfDay: Int64, _ zone: TimeZone) -> Date {
        let wall = Double(day * 86_400 + timeOfDay)
        if let written = self.offset { return Date(timeIntervalSince1970: wall - Double(written)) }
        func offset(_ instant: Double) -> Double {
            Double(zone.secondsFromGMT(for: Date(timeIntervalSince1970: instant)))
        }
        let before = offset(wall - 86_400)
        let after = offset(wall + 86_400)
        let isEarly = offset(wall - before) == before || offset(wall - after) != after
        return Date(timeIntervalSince1970: wall - (isEarly ? before : after))
    }
}
