package import Foundation
package import JobModel

/// What happens to a tick whose entry's last job has not ended.
package enum OverlapPolicy: String, Sendable, CaseIterable {
    /// Both run.
    case allow
    /// The tick is passed over.
    case skip
    /// The tick waits for the end of that job; of several that wait, only the newest is kept.
    case queueOne = "queue_one"
}

/// Why a tick was passed over without a message.
package enum TickPass: String, Sendable, CaseIterable {
    /// It was late, and the entry's misfire policy gives it up.
    case misfire
    /// It falls on a holiday.
    case holiday
    /// The entry is paused.
    case paused
}

/// What a scheduler decided about one tick, to be carried out and recorded in one atomic step.
package struct TickRecord: Sendable {
    package enum Action: Sendable {
        /// Enqueue the message; an earlier job of the entry counts as running for at most
        /// `staleAfter` after its tick was enqueued, in case nobody tells of its end.
        case enqueue(OutgoingMessage, overlap: OverlapPolicy, staleAfter: Duration)
        case pass(TickPass)
    }

    /// The schedule entry.
    package var entry: String
    /// When the tick was due; with the entry's name, what identifies it.
    package var dueAt: Date
    /// The newest recorded tick that the decision was made on; when it is no longer the newest,
    /// another scheduler was first and nothing happens.
    package var previous: Date
    /// How many ticks between the two are given up with this step.
    package var missed: Int
    package var action: Action

    package init(
        entry: String, dueAt: Date, previous: Date, missed: Int = 0, action: Action
    ) {
        self.entry = entry
        self.dueAt = dueAt
        self.previous = previous
        self.missed = missed
        self.action = action
    }
}

/// What became of a tick.
package enum TickOutcome: Sendable, Equatable {
    /// Its message is on its queue.
    case enqueued
    /// It waits for the end of the entry's last job.
    case waiting
    /// It was passed over, because the entry's last job has not ended.
    case overlapped
    /// It was passed over, as asked.
    case passed
    /// Another scheduler was first; nothing was done.
    case superseded
}

/// Which ticks of which schedule entries were enqueued; decides between schedulers side by side.
package protocol TickBook: Sendable {
    /// The due time of the newest tick recorded, per entry.
    func newestTicks(of entries: [String]) async throws(BrokerError) -> [String: Date]

    /// Records that entries exist from a time on, those that have no tick yet, so that a first tick
    /// is due after it for every scheduler alike.
    func begin(_ entries: [String: Date]) async throws(BrokerError)

    /// Carries out a decision and records it in one atomic step.
    func record(_ tick: TickRecord, at now: Date) async throws(BrokerError) -> TickOutcome

    /// Enqueues an entry's job besides its ticks, and notes it in the log; overlap is not looked at.
    func trigger(
        _ message: OutgoingMessage, of entry: String, at now: Date
    ) async throws(BrokerError)

    /// Lets ticks go that wait behind jobs which are over, though nobody told of their end: Python
    /// workers do not, and a job may be lost. Returns how many went.
    ///
    /// Cheap when none waits; schedulers call it in each round.
    @discardableResult
    func releaseWaiting(at now: Date) async throws(BrokerError) -> Int

    /// Forgets entries that are gone: newest ticks, running jobs, waiting ticks. The log stays.
    func forget(_ entries: [String]) async throws(BrokerError)
}

/// One line of the log of ticks.
package struct TickLogItem: Sendable, Equatable {
    package enum Event: Sendable, Equatable {
        case enqueued
        case waiting
        case overlapped
        case passed(TickPass)
        /// Enqueued by hand; due when it was asked for.
        case triggered
        /// The job has ended for good in this state (`SUCCESS`, `FAILURE`, `REVOKED`, …).
        case ended(String)
    }

    /// Where it stands in the log; rises.
    package var position: String
    package var entry: String
    package var dueAt: Date
    package var at: Date
    package var job: JobID?
    package var event: Event
    /// Ticks given up together with this one.
    package var missed: Int

    package init(
        position: String, entry: String, dueAt: Date, at: Date, job: JobID? = nil, event: Event,
        missed: Int = 0
    ) {
        self.position = position
        self.entry = entry
        self.dueAt = dueAt
        self.at = at
        self.job = job
        self.event = event
        self.missed = missed
    }
}

/// The bounded log of ticks in Redis, from which it is moved to where it is kept.
package protocol TickLog: Sendable {
    /// The oldest lines, after a position.
    func log(after position: String?, limit: Int) async throws(BrokerError) -> [TickLogItem]

    /// The newest lines, newest first.
    func newestLog(limit: Int) async throws(BrokerError) -> [TickLogItem]

    /// Removes lines; those that are gone are no error.
    func removeLog(_ positions: [String]) async throws(BrokerError)
}
