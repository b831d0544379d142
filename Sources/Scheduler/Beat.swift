package import Foundation
import JobModel

/// The decision of a scheduler, as a pure function: which ticks to enqueue now, and when to look
/// again.
///
/// Per entry at most one tick is due: the newest since the last one recorded. Ticks between the two
/// were missed and are not made up one by one. Whether a tick that is itself late is still enqueued
/// is the entry's `MisfirePolicy`; late means by more than `grace`, so that a moment of an
/// unreachable Redis is not a misfire.
package struct Beat: Sendable {
    /// What to do.
    package struct Round: Sendable, Equatable {
        /// The ticks to enqueue, oldest first.
        package var due: [Tick] = []
        /// The earliest tick after now; nil when no entry has one.
        package var nextDue: Date?
        /// Entries whose last tick lies further ahead of this clock than `grace`: a scheduler ran
        /// with a wrong clock, and they stay silent until the time comes.
        package var ahead: [String] = []
    }

    package let entries: [ScheduleEntry]
    package let grace: Duration

    package init(entries: [ScheduleEntry], grace: Duration) {
        self.entries = entries
        self.grace = grace
    }

    /// What is due at `now`, given the due time of the newest tick of each entry.
    ///
    /// An entry without a last tick is new: its past is not made up for.
    package func round(at now: Date, lastTicks: [String: Date]) -> Round {
        var round = Round()
        for entry in entries {
            let last = lastTicks[entry.name] ?? now
            if let dueAt = entry.schedule.latest(after: last, upTo: now),
                entry.misfire == .runOnce || now.timeIntervalSince(dueAt) <= grace.inSeconds
            {
                round.due.append(Tick(entry: entry, dueAt: dueAt))
            }
            if last.timeIntervalSince(now) > grace.inSeconds { round.ahead.append(entry.name) }
            guard let next = entry.schedule.next(after: max(last, now)) else { continue }
            round.nextDue = min(round.nextDue ?? next, next)
        }
        round.due.sort { ($0.dueAt, $0.entry.name) < ($1.dueAt, $1.entry.name) }
        return round
    }
}
