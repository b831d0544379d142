package import Foundation
package import JobModel

/// The queue contract: take messages under a lease, and settle each in one atomic step.
///
/// Everything is at-least-once: an operation that throws may have been done.
package protocol Broker: Sendable {
    /// Where its answers arrive: a task that prefers it goes on there without changing threads, and
    /// must be brief between its waits.
    var executor: any TaskExecutor { get }

    /// The shortest time of late from a call to its answer: how far the server is, not how busy. Zero
    /// while it is unknown.
    var roundTrip: Duration { get }

    /// Puts messages on their queues, or aside until their `eta`.
    func enqueue(_ messages: [OutgoingMessage]) async throws(BrokerError)

    /// Puts a series of messages on its queue.
    func enqueue(_ series: MessageSeries) async throws(BrokerError)

    /// Sends signatures: their messages, with the sizes of their chords, in one atomic step.
    ///
    /// - Throws: `limit` when one of them is too large; then nothing was sent.
    func publish(_ publication: Publication) async throws(BrokerError)

    /// Takes up to `count` messages, most urgent first, and records them as in flight.
    func reserve(
        upTo count: Int, for worker: WorkerID, from lists: [ListAddress]
    ) async throws(BrokerError) -> [Delivery]

    /// One waiter for each list, each for one caller at a time.
    func waiters(for worker: WorkerID, on lists: [ListAddress]) -> [any ListWaiter]

    /// Settles a batch; the answers are in the order of the questions.
    func settle(_ batch: [Settling]) async throws(BrokerError) -> [Settlement]

    /// Writes how a job stands while it runs; what says SUCCESS is overwritten by nothing else.
    func report(_ record: ResultRecord) async throws(BrokerError)

    /// What is kept of a job that succeeded; `nil` when it has not, or nobody knows any more.
    func success(of id: JobID) async throws(BrokerError) -> StoredSuccess?

    /// Moves due messages to their lists, earliest first; says how many, and how long until the next
    /// one is due.
    ///
    /// With `takingTurns` only one of the processes that ask does something, as long as it goes on
    /// asking; the others are told when to ask again.
    func promoteDue(limit: Int, takingTurns: Bool) async throws(BrokerError) -> Promotion

    /// Puts back what expired holders left: workers whose lease ran out, and Python's messages
    /// older than the visibility timeout.
    func reclaimExpired(limit: Int) async throws(BrokerError) -> Reclamation

    /// Keeps the lease of the worker that `presence` describes alive until the returned handle is
    /// cancelled, from a thread that job code cannot block.
    ///
    /// The closures are called on that thread and must be brief: `presence` says what the worker is,
    /// always under one name, `tags` what it holds, and `renewed` hears of each renewal which of it is
    /// in flight no more (settled meanwhile, or taken away).
    func keepLease(
        of presence: @escaping @Sendable () -> WorkerPresence, every period: Duration,
        holding tags: @escaping @Sendable () -> [String],
        renewed: @escaping @Sendable (_ gone: [String]) -> Void
    ) -> any LeaseRenewal

    /// Notes that `worker` begins to run a message that another worker died holding, so that its own
    /// death would count.
    func markSuspect(_ delivery: Delivery, of worker: WorkerID) async throws(BrokerError)

    /// Notes that such a message has been run, and would not be to blame any more.
    func clearSuspect(_ delivery: Delivery, of worker: WorkerID) async throws(BrokerError)

    /// What was cancelled and revoked at `since` or later, and when to ask from next time.
    func revocations(since: Date?) async throws(BrokerError) -> Revocations

    /// Asks that jobs do not begin, or with `terminating` that they end also when they run; stores a
    /// result for those of `unheard` that have not ended.
    func revoke(
        _ ids: [JobID], terminating: Bool, storing unheard: [JobID]
    ) async throws(BrokerError)

    /// Asks that jobs with one of these stamps do not begin.
    func revoke(_ stamps: [RevokedStamp]) async throws(BrokerError)

    /// Binds a queue to a direct exchange, so that producers who name that find it.
    func bind(
        _ queue: QueueName, to exchange: String, by routingKey: String
    ) async throws(BrokerError)

    /// Listens to commands from now on.
    func controlInbox() -> any ControlInbox

    /// Answers a command if somebody still waits for it; returns whether anybody does.
    @discardableResult
    func send(_ reply: ControlReply) async throws(BrokerError) -> Bool

    /// The messages that wait for their time, the next ones first.
    func delayedMessages(limit: Int) async throws(BrokerError) -> [DelayedMessage]

    /// Ends chords that this process has claimed, and those whose claimant died; moves messages that
    /// were staged for sending. Looks at `limit` chords at most.
    func tendChords(limit: Int) async throws(BrokerError) -> ChordTending

    /// Strikes a worker off that has given everything back, so that nobody waits for its lease.
    func leave(_ worker: WorkerID) async throws(BrokerError)

    /// Drops what is too old in the graves, or too many, at most `limit` entries of each.
    func trimGraves(limit: Int) async throws(BrokerError) -> GraveTrim

    /// The way to whoever listens for events; the caller closes it.
    func eventChannel() -> any EventChannel

    /// Begins to hear of elections; the caller closes it.
    func electionInbox() -> any ElectionInbox

    /// Puts back at once what `worker` held, whose process is known to have died; answers as
    /// ``reclaimExpired(limit:)`` does.
    func reportDeath(of worker: WorkerID) async throws(BrokerError) -> Reclamation
}

extension Broker {
    /// Moves due messages whosever turn it is.
    package func promoteDue(limit: Int) async throws(BrokerError) -> Promotion {
        try await promoteDue(limit: limit, takingTurns: false)
    }

    /// Keeps the lease of a worker that stays what it is.
    package func keepLease(
        of presence: WorkerPresence, every period: Duration,
        holding tags: @escaping @Sendable () -> [String],
        renewed: @escaping @Sendable (_ gone: [String]) -> Void
    ) -> any LeaseRenewal {
        let same: @Sendable () -> WorkerPresence = { presence }
        return keepLease(of: same, every: period, holding: tags, renewed: renewed)
    }
}

/// Waits for a message on one list.
package protocol ListWaiter: Sendable {
    /// Where its answers arrive, as ``Broker/executor``.
    var executor: any TaskExecutor { get }

    /// Blocks until the list has a message and takes it; empty when the time is up.
    func wait(upTo limit: Duration) async throws(BrokerError) -> [Delivery]

    /// Ends a wait early, from anywhere; what it took is still returned by `wait`.
    func interrupt() async

    /// Frees the connection.
    func close() async
}

/// A lease being renewed.
package protocol LeaseRenewal: Sendable {
    /// When a renewal last succeeded.
    var renewedAt: ContinuousClock.Instant { get }

    /// Stops renewing; the lease then runs out by itself.
    func cancel()
}

/// One of the four lists of a queue.
package struct ListAddress: Hashable, Sendable {
    package let queue: QueueName
    /// 0…3, most urgent first.
    package let step: Int

    package init(queue: QueueName, step: Int) {
        self.queue = queue
        self.step = step
    }
}

/// A delivery and what is to become of it.
///
/// A class, because it is large, passed through many hands and never changed.
package final class Settling: Sendable {
    package let delivery: Delivery
    package let transition: Transition
    /// The record to store for `AsyncResult`, if any.
    package var result: ResultRecord? { kept?.value }
    /// What follows from it for the workflow and the schedule; written in the same step.
    package var aftermath: Aftermath? { following?.value }

    // Most have neither, and none need pay for the room.
    private let kept: Part<ResultRecord>?
    private let following: Part<Aftermath>?

    private final class Part<Value: Sendable>: Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    /// Whether something follows from it.
    var hasAftermath: Bool {
        guard let following, !following.value.isEmpty else { return false }
        if case .release = transition { return false }
        return true
    }

    package init(
        delivery: Delivery, transition: Transition, result: ResultRecord? = nil,
        aftermath: Aftermath? = nil
    ) {
        self.delivery = delivery
        self.transition = transition
        kept = result.map(Part.init)
        following = aftermath.map(Part.init)
    }

    /// The same, telling also that the job of a tick has ended.
    package func telling(_ end: EndedTick) -> Settling {
        var aftermath = aftermath ?? Aftermath()
        aftermath.endedTick = end
        return Settling(
            delivery: delivery, transition: transition, result: result, aftermath: aftermath)
    }
}

/// The ways a delivery can end; each is one script.
package enum Transition: Sendable {
    case acknowledge
    /// Round again with this message, now (`nil`) or at a time.
    case retry(message: [UInt8], at: Date?)
    indirect case bury(in: Grave, BuriedMessage)
    case release
}

/// Whether a settle counted.
package enum Settlement: Sendable, Equatable {
    case settled
    /// The lease had run out; somebody else has the message, and nothing was changed.
    case leaseLost
    /// The server would not; nothing was changed, and the lease still stands.
    case refused
}

/// What a round of promotion did.
package struct Promotion: Sendable, Equatable {
    package let count: Int
    /// Until the next delayed message is due; nil when none waits.
    package let untilNext: Duration?
    /// Messages that could not be moved because what has the name of their list is none; they are
    /// tried again later.
    package let stuck: Int
    /// When it was another's turn: how long that lasts if the other does not ask again.
    package let untilTurn: Duration?

    package init(
        count: Int, untilNext: Duration?, stuck: Int = 0, untilTurn: Duration? = nil
    ) {
        self.count = count
        self.untilNext = untilNext
        self.stuck = stuck
        self.untilTurn = untilTurn
    }

    /// Whether more is due already.
    package var isBehind: Bool { count > 0 && untilNext == .zero }
}

/// What a round of reclaiming did.
package struct Reclamation: Sendable, Equatable {
    /// Messages put back.
    package var count = 0
    /// Workers struck off.
    package var workers: [WorkerID] = []
    /// Messages that took too many workers with them, now in quarantine.
    package var poisoned: [BuriedMessage] = []

    package init() {}

    static func += (left: inout Reclamation, right: Reclamation) {
        left.count += right.count
        left.workers += right.workers
        left.poisoned += right.poisoned
    }
}

/// What a round of tending chords did.
package struct ChordTending: Sendable, Equatable {
    /// Chords that were ended because whoever had to did not.
    package var recovered: [String] = []
    /// Chords that were looked at.
    package var lookedAt = 0

    package init() {}
}

/// What a worker says of itself.
package struct WorkerPresence: Sendable, Equatable, Codable {
    package let worker: String
    package let host: String
    package let processID: Int32
    package let queues: [String]
    package let concurrency: Int
    package let startedAt: Date
    package let version: String

    /// The same worker, serving these queues with so many lanes.
    package func serving(_ queues: [QueueName], concurrency: Int) -> WorkerPresence {
        WorkerPresence(
            worker: WorkerID(text: worker), host: host, processID: processID, queues: queues,
            concurrency: concurrency, startedAt: startedAt, version: version)
    }

    package init(
        worker: WorkerID, host: String, processID: Int32, queues: [QueueName], concurrency: Int,
        startedAt: Date, version: String
    ) {
        self.worker = worker.text
        self.host = host
        self.processID = processID
        self.queues = queues.map(\.text)
        self.concurrency = concurrency
        self.startedAt = startedAt
        self.version = version
    }
}
