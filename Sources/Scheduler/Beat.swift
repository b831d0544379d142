package import Broker
package import Foundation
import JobModel

/// The decision of a scheduler, as a pure function: which ticks to enqueue or pass over now, and when
/// to look again.
///
/// A tick is *on time* when it is at most `misfireAfter` later than its time to fire; those are all
/// enqueued, oldest first. Older ones are *misfires*, about which the entry's policy decides. What an
/// entry's ticks become is one chain: each decision is made on the one before, and counts the ticks
/// that are given up between the two.
///
/// The work of a round does not hang on how long nobody looked: ticks are counted by arithmetic, and
/// only those decided about are made.
package struct Beat: Sendable {
    /// The most decisions about one entry in a round; the rest follow in the next one.
    package static let maximumDecisions = 100

    /// What becomes of one tick.
    package struct Decision: Sendable, Equatable {
        package enum Action: Sendable, Equatable {
            case enqueue
            case pass(TickPass)
        }

        package let tick: Tick
        /// How many ticks between the previous one and this are given up.
        package let missed: Int
        package let action: Action

        package init(tick: Tick, missed: Int, action: Action) {
            self.tick = tick
            self.missed = missed
            self.action = action
        }
    }

    /// What to do.
    package struct Round: Sendable, Equatable {
        /// Those of one entry stand in the order in which they have to be carried out.
        ///
        /// Each entry's first comes before any entry's second, so that nobody waits for another's
        /// backlog.
        package var decisions: [Decision] = []
        /// When the next tick fires; now, when some had to be left to the next round; nil when no
        /// entry has a tick any more.
        package var nextDue: Date?
        /// Entries whose last tick lies further ahead of this clock than `clockTolerance`: a
        /// scheduler ran with a wrong clock, and they stay silent until the time comes.
        package var ahead: [String] = []
    }

    package let entries: [ScheduleEntry]
    package let clockTolerance: Duration

    package init(entries: [ScheduleEntry], clockTolerance: Duration = .seconds(60)) {
        self.entries = entries
        self.clockTolerance = clockTolerance
    }

    /// What is due at `now`, given the due time of the newest tick recorded for each entry.
    ///
    /// An entry without one is new: its past is not made up for.
    package func round(at now: Date, newestTicks: [String: Date]) -> Round {
        var round = Round()
        var placed: [(place: Int, decision: Decision)] = []
        for entry in entries {
            let newest = newestTicks[entry.name] ?? now
            let chain = EntryBeat(entry: entry, now: now, newest: newest).chain()
            placed += chain.decisions.enumerated().map { ($0.offset, $0.element) }
            if newest.timeIntervalSince(now) > clockTolerance.inSeconds {
                round.ahead.append(entry.name)
            }
            guard let next = chain.next else { continue }
            round.nextDue = min(round.nextDue ?? next, next)
        }
        placed.sort { left, right in
            (left.place, left.decision.tick.dueAt, left.decision.tick.entry.name)
                < (right.place, right.decision.tick.dueAt, right.decision.tick.entry.name)
        }
        round.decisions = placed.map(\.decision)
        return round
    }
}

/// The decisions about one entry in one round.
private struct EntryBeat {
    typealias Choice = (dueAt: Date, action: Beat.Decision.Action)

    let entry: ScheduleEntry
    let now: Date
    /// The newest tick recorded.
    let newest: Date

    func chain() -> (decisions: [Beat.Decision], next: Date?) {
        guard let last = entry.latestFired(after: newest, upTo: now) else {
            return ([], entry.nextTick(after: newest).map(entry.firesAt))
        }
        var choices: [Choice] =
            entry.isPaused ? [(last, .pass(.paused))] : self.choices(upTo: last)
        let isCut = choices.count > Beat.maximumDecisions
        if isCut { choices.removeLast(choices.count - Beat.maximumDecisions) }
        let decided = choices.last?.dueAt ?? newest
        let next = decided < last ? now : entry.nextTick(after: last).map(entry.firesAt)
        return (decisions(choices), next)
    }

    /// The ticks to decide about, in order; one more than fits a round tells that there are more.
    private func choices(upTo last: Date) -> [Choice] {
        let newestMisfire = entry.latestFired(
            after: newest, upTo: now.addingTimeInterval(-lateness))
        let onTime = self.onTime(after: newestMisfire ?? newest, upTo: last)
        guard let newestMisfire else { return onTime }
        var choices = madeUp(upTo: newestMisfire, beside: onTime)
        // Without a later record, those given up would be looked at again in each round.
        if onTime.isEmpty, (choices.last?.dueAt ?? newest) < newestMisfire {
            let pass = entry.isOnHoliday(newestMisfire) ? TickPass.holiday : .misfire
            choices.append((newestMisfire, .pass(pass)))
        }
        return choices + onTime
    }

    /// How much later than its time to fire a tick is a misfire: by more than `misfireAfter`, and
    /// times are compared in milliseconds.
    private var lateness: Double { entry.misfireAfter.inSeconds + Schedule.moment }

    private func onTime(after start: Date, upTo last: Date) -> [Choice] {
        var choices: [Choice] = []
        var date = start
        while choices.count <= Beat.maximumDecisions, let tick = entry.nextTick(after: date),
            tick <= last
        {
            choices.append((tick, entry.isOnHoliday(tick) ? .pass(.holiday) : .enqueue))
            date = tick
        }
        return choices
    }

    /// The misfires that are enqueued nevertheless.
    private func madeUp(upTo last: Date, beside onTime: [Choice]) -> [Choice] {
        let limit =
            switch entry.misfire {
            case .skip: 0
            case .runOnce:
                onTime.prefix(Beat.maximumDecisions).contains { $0.action == .enqueue } ? 0 : 1
            case .runAll: entry.misfireLimit
            }
        var ticks: [Date] = []
        var end = last
        while ticks.count < limit, let tick = entry.latestWorkingTick(after: newest, upTo: end) {
            ticks.append(tick)
            end = tick.addingTimeInterval(-Schedule.moment)
        }
        return ticks.reversed().map { ($0, .enqueue) }
    }

    private func decisions(_ choices: [Choice]) -> [Beat.Decision] {
        var previous = newest
        return choices.map { choice in
            defer { previous = choice.dueAt }
            let before = choice.dueAt.addingTimeInterval(-Schedule.moment)
            return Beat.Decision(
                tick: Tick(entry: entry, dueAt: choice.dueAt, previous: previous),
                missed: entry.tickCount(after: previous, upTo: before), action: choice.action)
        }
    }
}
