package import Broker
package import Foundation
import JobModel

/// The ticks of an entry: its schedule between `starts` and `ends`, its holidays and its jitter.
extension ScheduleEntry {
    /// The first tick later than `date`; nil when there is none.
    package func nextTick(after date: Date) -> Date? {
        let from = starts.map { max(date, $0.addingTimeInterval(-Schedule.moment)) } ?? date
        guard let tick = schedule.next(after: from) else { return nil }
        if let ends, tick >= ends { return nil }
        return tick
    }

    /// The newest tick that is later than `start` and not later than `end`.
    func latestTick(after start: Date, upTo end: Date) -> Date? {
        let (start, end) = bounded(start, end)
        return start < end ? schedule.latest(after: start, upTo: end) : nil
    }

    /// The same, leaving out ticks on holidays.
    ///
    /// Unbroken holidays are jumped over, so the cost does not hang on the ticks in them.
    func latestWorkingTick(after start: Date, upTo end: Date) -> Date? {
        var end = end
        while let tick = latestTick(after: start, upTo: end) {
            guard let beginning = holidays?.beginning(around: tick, in: zone) else { return tick }
            end = min(beginning, tick).addingTimeInterval(-Schedule.moment)
        }
        return nil
    }

    /// How many ticks are later than `start` and not later than `end`.
    func tickCount(after start: Date, upTo end: Date) -> Int {
        let (start, end) = bounded(start, end)
        return schedule.count(after: start, upTo: end)
    }

    private func bounded(_ start: Date, _ end: Date) -> (Date, Date) {
        let first = starts.map { $0.addingTimeInterval(-Schedule.moment) }
        let last = ends.map { $0.addingTimeInterval(-Schedule.moment) }
        return (first.map { max(start, $0) } ?? start, last.map { min(end, $0) } ?? end)
    }

    /// Whether a tick falls on a holiday, in the entry's zone.
    func isOnHoliday(_ dueAt: Date) -> Bool { holidays?.contains(dueAt, in: zone) ?? false }

    /// Where the window of a tick begins: at the previous due time of the schedule that is not on a
    /// holiday, so that the windows of the ticks that run adjoin.
    ///
    /// Neither `starts` nor what was recorded matters: the first tick of a monthly entry is for a
    /// whole month too. A schedule without an earlier due time has an empty window.
    package func windowStart(of dueAt: Date) -> Date {
        var end = dueAt
        while let tick = schedule.latest(before: end) {
            guard let beginning = holidays?.beginning(around: tick, in: zone) else { return tick }
            end = min(beginning, tick)
        }
        return dueAt
    }

    /// When a tick is enqueued: at its due time, later by a part of `jitter`, but never after the
    /// next due time, so that ticks keep their order.
    package func firesAt(_ dueAt: Date) -> Date {
        guard jitter > .zero else { return dueAt }
        let limit = UInt64(max(jitter.inSeconds * 1000, 1))
        let delay = Double(jitterHash(dueAt) % limit) / 1000
        let time = dueAt.addingTimeInterval(delay)
        return schedule.next(after: dueAt).map { min($0, time) } ?? time
    }

    /// The same on every machine and in every release: FNV-1a over the name and the due time in
    /// milliseconds, and SplitMix64's mixing, as neighbouring due times differ in few bits.
    private func jitterHash(_ dueAt: Date) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let milliseconds = Int64((dueAt.timeIntervalSince1970 * 1000).rounded())
        var rest = UInt64(bitPattern: milliseconds)
        for _ in 0..<8 {
            hash = (hash ^ (rest & 0xff)) &* 0x100_0000_01b3
            rest >>= 8
        }
        hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
        return hash ^ hash >> 31
    }
}

extension ScheduleEntry {
    /// The newest tick after `start` whose time to fire is not later than `end`.
    func latestFired(after start: Date, upTo end: Date) -> Date? {
        guard let tick = latestTick(after: start, upTo: end) else { return nil }
        // Jitter never delays a tick beyond the next one, so only the newest can be waiting.
        guard firesAt(tick) > end else { return tick }
        return latestTick(after: start, upTo: tick.addingTimeInterval(-Schedule.moment))
    }

    /// Ticks as they will come, on their schedule and from this entry's settings alone.
    ///
    /// - Returns: at most `limit`, in order; fewer when the entry ends.
    package func upcoming(after date: Date, limit: Int) -> [UpcomingTick] {
        var ticks: [UpcomingTick] = []
        var last = date
        while ticks.count < limit, let dueAt = nextTick(after: last) {
            ticks.append(UpcomingTick(entry: self, dueAt: dueAt))
            last = dueAt
        }
        return ticks
    }
}

/// A tick that is still to come, as far as it can be told ahead.
package struct UpcomingTick: Sendable, Equatable {
    /// The entry's name.
    package let entry: String
    package let dueAt: Date
    /// When it is enqueued, with the entry's jitter.
    package let firesAt: Date
    /// Why it will be passed over; nil when it will be enqueued.
    package let pass: TickPass?

    package init(entry: ScheduleEntry, dueAt: Date) {
        self.entry = entry.name
        self.dueAt = dueAt
        firesAt = entry.firesAt(dueAt)
        pass = entry.isPaused ? .paused : entry.isOnHoliday(dueAt) ? .holiday : nil
    }
}
