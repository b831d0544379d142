import Broker
import Foundation
import JobModel
import Scheduler

/// A tick that is still to come.
struct PlannedTick: Sendable, Equatable {
    let entry: String
    let dueAt: Date
    /// When it is enqueued.
    let firesAt: Date
    /// Why it will be passed over; nil when it will be enqueued.
    let pass: TickPass?
}

/// Ticks to come, from the entries alone.
enum ScheduleForecast {
    /// The most ticks of a simulation.
    static let maximumTicks = 100_000
    /// Looking back for the newest tick ends here; a crontab for 29 February needs eight years.
    private static let lookBack: TimeInterval = 9 * 366 * 86_400

    /// At most `limit` ticks of an entry, in order.
    static func upcoming(of entry: ScheduleEntry, after date: Date, limit: Int) -> [PlannedTick] {
        var ticks: [PlannedTick] = []
        var last = date
        while ticks.count < limit, let dueAt = entry.schedule.next(after: last) {
            ticks.append(
                PlannedTick(
                    entry: entry.name, dueAt: dueAt, firesAt: dueAt,
                    pass: entry.isPaused ? .paused : nil))
            last = dueAt
        }
        return ticks
    }

    /// The ticks of several entries over some days, in order; and whether there are more.
    static func simulate(
        _ entries: [ScheduleEntry], from start: Date, days: Int
    ) -> (ticks: [PlannedTick], isCut: Bool) {
        let end = start.addingTimeInterval(Double(days) * 86_400)
        var ticks: [PlannedTick] = []
        for entry in entries {
            // Each entry up to the limit, so that the earliest ones of all are among them.
            let all = upcoming(of: entry, after: start, limit: maximumTicks + 1)
            ticks += all.prefix { $0.dueAt <= end }
        }
        ticks.sort { ($0.firesAt, $0.dueAt, $0.entry) < ($1.firesAt, $1.dueAt, $1.entry) }
        return (Array(ticks.prefix(maximumTicks)), ticks.count > maximumTicks)
    }

    /// The tick that a run by hand stands for: the newest that is due, else the time itself.
    static func current(of entry: ScheduleEntry, at now: Date) -> Tick {
        let start = now.addingTimeInterval(-lookBack)
        return Tick(
            entry: entry, dueAt: entry.schedule.latest(after: start, upTo: now) ?? now)
    }
}

extension Schedule {
    /// For people: the crontab or the interval.
    var words: String {
        switch self {
        case .crontab(let expression, _): expression.description
        case .every(let interval): "every \(interval.inUnits)"
        }
    }

    /// The zone that a crontab is in.
    var zoneName: String? {
        if case .crontab(_, let zone) = self { return zone == .gmt ? "UTC" : zone.identifier }
        return nil
    }
}

extension Duration {
    /// As the schedule file writes it: `1h30m`.
    var inUnits: String {
        var rest = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        guard rest != 0 else { return "0s" }
        var text = ""
        for (name, size) in [
            ("d", Int64(86_400_000)), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
        ] where rest >= size {
            text += "\(rest / size)\(name)"
            rest %= size
        }
        return text
    }
}
