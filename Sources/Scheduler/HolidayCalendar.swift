package import Foundation
import JobModel

/// Named days on which entries that follow the calendar do not run; days are those of the entry's
/// own zone.
package struct HolidayCalendar: Sendable, Equatable {
    /// The most days and ranges a calendar lists.
    package static let maximumItems = 1000
    /// The most days in one range.
    package static let maximumRangeDays = 366
    /// The most calendars in a file.
    package static let maximumCalendars = 100

    package let name: String
    /// Day numbers counted from 1970-01-01, in order; neither overlapping nor touching.
    private let ranges: [ClosedRange<Int64>]

    package init(name: String, days: [ClosedRange<Int64>]) {
        self.name = name
        var merged: [ClosedRange<Int64>] = []
        for range in days.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
                let end = max(last.upperBound, range.upperBound)
                merged[merged.count - 1] = last.lowerBound...end
            } else {
                merged.append(range)
            }
        }
        ranges = merged
    }

    /// Whether `date` falls on one of the days in `zone`.
    package func contains(_ date: Date, in zone: TimeZone) -> Bool {
        range(around: CivilDay.number(of: date, in: zone)) != nil
    }

    /// A moment no earlier than the first of the unbroken holidays around `date`, and at most some
    /// hours later than its midnight; nil when `date` is not on a holiday.
    ///
    /// A search for an earlier day goes on from there. The clock may change near midnight, so that
    /// the exact moment is not worth the trouble.
    func beginning(around date: Date, in zone: TimeZone) -> Date? {
        guard let range = range(around: CivilDay.number(of: date, in: zone)) else { return nil }
        let midnight = Double(range.lowerBound) * 86_400
        let offsets = [-86_400, 0, 86_400].map { shift in
            zone.secondsFromGMT(for: Date(timeIntervalSince1970: midnight + shift))
        }
        return Date(timeIntervalSince1970: midnight - Double(offsets.min() ?? 0))
    }

    private func range(around day: Int64) -> ClosedRange<Int64>? {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < day { low = middle + 1 } else { high = middle }
        }
        guard low < ranges.count, ranges[low].contains(day) else { return nil }
        return ranges[low]
    }
}

extension HolidayCalendar {
    /// Why a text is no day and no range of days.
    struct Failure: Error {
        let problem: String
    }

    /// Reads `2026-12-25` or `2026-12-24..2027-01-01`, both ends included.
    static func days(_ text: String) throws(Failure) -> ClosedRange<Int64> {
        let ends = text.split(separator: "..", omittingEmptySubsequences: false)
        guard ends.count <= 2, let first = CivilDay(text: ends[0]),
            let last = CivilDay(text: ends[ends.count - 1])
        else {
            throw Failure(
                problem: "has \"\(text)\", which is not a date such as 2026-12-25 or a range"
                    + " such as 2026-12-24..2027-01-01")
        }
        guard first.number <= last.number else {
            throw Failure(problem: "has \"\(text)\", which ends before it begins")
        }
        guard last.number - first.number < maximumRangeDays else {
            throw Failure(
                problem: "has \"\(text)\", which is longer than \(maximumRangeDays) days")
        }
        return first.number...last.number
    }
}

extension CivilDay {
    /// The number of the day that the wall clock of `zone` shows at `date`.
    static func number(of date: Date, in zone: TimeZone) -> Int64 {
        let wall = date.timeIntervalSince1970 + Double(zone.secondsFromGMT(for: date))
        return Int64((wall / 86_400).rounded(.down))
    }

    /// The day that the wall clock of `zone` shows at `date`.
    init(of date: Date, in zone: TimeZone) { self.init(number: Self.number(of: date, in: zone)) }
}
