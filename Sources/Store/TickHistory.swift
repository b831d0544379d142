package import Foundation

/// One line that the scheduler's log says of a tick.
package struct TickLine: Sendable, Equatable {
    package enum Event: Sendable, Equatable {
        /// What was decided, under its name in the table.
        case decided(String)
        /// How the job ended for good.
        case ended(String)
    }

    /// What is decided for good when a tick waits for the end of an earlier job: nothing.
    package static let waiting = "waiting"
    /// The outcome of a run by hand, which is no tick.
    package static let triggered = "triggered"

    package var entry: String
    package var dueAt: Date
    package var at: Date
    package var job: String?
    package var event: Event
    package var missed: Int

    package init(
        entry: String, dueAt: Date, at: Date, job: String?, event: Event, missed: Int = 0
    ) {
        self.entry = entry
        self.dueAt = dueAt
        self.at = at
        self.job = job
        self.event = event
        self.missed = missed
    }
}

/// What became of one tick.
package struct TickRow: Sendable, Equatable {
    package var entry: String
    package var dueAt: Date
    /// When the outcome was decided, for a job when it was enqueued; nil when only its end is known.
    package var decidedAt: Date?
    package var job: String?
    /// `enqueued`, `waiting`, `overlapped`, `misfire`, `holiday`, `paused` or `triggered`.
    package var outcome: String
    /// Ticks before it that were given up with it.
    package var missed: Int
    package var endedAt: Date?
    /// `SUCCESS`, `FAILURE`, `REVOKED` or another of Celery's words.
    package var endedState: String?

    package init(
        entry: String, dueAt: Date, decidedAt: Date?, job: String?, outcome: String,
        missed: Int = 0, endedAt: Date? = nil, endedState: String? = nil
    ) {
        self.entry = entry
        self.dueAt = dueAt
        self.decidedAt = decidedAt
        self.job = job
        self.outcome = outcome
        self.missed = missed
        self.endedAt = endedAt
        self.endedState = endedState
    }

    /// Whether it was run by hand.
    package var isRun: Bool { outcome == TickLine.triggered }

    /// How late the outcome was decided.
    package var lateness: TimeInterval? { decidedAt.map { $0.timeIntervalSince(dueAt) } }
}

extension TickRow {
    /// The rows that lines amount to, oldest line first; each tick once.
    ///
    /// An end whose tick is not among the lines makes a row without a time of decision.
    package static func folded(_ lines: [TickLine]) -> [TickRow] {
        var rows: [TickRow] = []
        var places: [TickKey: Int] = [:]
        var jobs: [TickJob: Int] = [:]
        for line in lines {
            let job = line.job.map { TickJob(entry: line.entry, job: $0) }
            let place: Int
            switch line.event {
            case .decided(let outcome):
                var row = TickRow(
                    entry: line.entry, dueAt: line.dueAt, decidedAt: line.at, job: line.job,
                    outcome: outcome, missed: line.missed)
                let key = TickKey(line)
                place = places[key] ?? rows.count
                places[key] = place
                if place == rows.count {
                    rows.append(row)
                } else {
                    // A tick that waited keeps what was given up with it when it is enqueued.
                    row.missed = max(row.missed, rows[place].missed)
                    if outcome != TickLine.waiting { rows[place] = row }
                }
            case .ended(let state):
                // By the job: a run by hand says the due time of the tick that it stands for.
                place = job.flatMap { jobs[$0] } ?? rows.count
                if place == rows.count {
                    rows.append(
                        TickRow(
                            entry: line.entry, dueAt: line.dueAt, decidedAt: nil, job: line.job,
                            outcome: "enqueued"))
                }
                rows[place].endedAt = line.at
                rows[place].endedState = state
            }
            if let job { jobs[job] = place }
        }
        return rows
    }
}

/// The job of an entry.
private struct TickJob: Hashable {
    let entry: String
    let job: String
}

/// What identifies a row: a tick by entry and due time, a run by hand by its job as well.
private struct TickKey: Hashable {
    let entry: String
    let dueAt: Date
    let run: String

    init(_ line: TickLine) {
        entry = line.entry
        dueAt = line.dueAt
        run = line.event == .decided(TickLine.triggered) ? line.job ?? "" : ""
    }
}
