import Foundation
import JobModel
import Scheduler

extension ScheduleEntry {
    /// Looking back for the newest tick ends here; a crontab for 29 February needs eight years.
    private static let lookBack: TimeInterval = 9 * 366 * 86_400

    /// The tick that a run by hand stands for: the newest that is due, else the time itself.
    func currentTick(at now: Date) -> Tick {
        let start = now.addingTimeInterval(-Self.lookBack)
        return Tick(entry: self, dueAt: schedule.latest(after: start, upTo: now) ?? now)
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
