import Broker
import JobModel
import Logging
import Mailbox
import Telemetry

/// Gathers conclusions and settles them in batches, one round trip each.
///
/// What Redis refuses or never answers is tried again until it is answered: a lease that ran out
/// meanwhile is an answer too. What is refused holds up nobody: a server that is out of memory
/// refuses a retry and takes the success that makes room for it. Only a worker that stops gives up,
/// after `settleLimit`: the jobs come back when its lease ends. Processors wait only when more than
/// `maximumUnsettled` are not settled.
final class Settler: Sendable {
    /// What is to be settled, made once: a repeat says word for word the same.
    private struct Attempt {
        let conclusion: Conclusion
        let settling: Settling
        var isRepeat = false
    }

    /// What was tried in vain, the longest waiting first; `run()` alone has it.
    private struct Backlog {
        var attempts: [Attempt] = []
        var nextTry: ContinuousClock.Instant
    }

    private struct State {
        var pending: [Conclusion] = []
        /// How many are being tried, or were in vain.
        var triedCount = 0
        var crowded: [CheckedContinuation<Void, Never>] = []
        var isDraining = false
        var isClosed = false

        func hasRoom(_ limit: Int) -> Bool { isDraining || pending.count + triedCount <= limit }
    }

    private let state = Locked(State())
    private let arrival = Signal()
    private let broker: any Broker
    private let plan: SettlementPlan
    private let options: WorkerOptions
    private let held: HeldLeases
    private let pace: Pace
    private let outage: Outage
    private let witness: Outage.Witness
    private let journal: Journal
    private let metrics: WorkerMetrics
    private let clock = ContinuousClock()

    init(
        broker: any Broker, plan: SettlementPlan, options: WorkerOptions, held: HeldLeases,
        pace: Pace, outage: Outage, journal: Journal, metrics: WorkerMetrics
    ) {
        self.broker = broker
        self.plan = plan
        self.options = options
        self.held = held
        self.pace = pace
        self.outage = outage
        witness = outage.witness("settle")
        self.journal = journal
        self.metrics = metrics
    }

    /// Leaves `conclusion` to be settled; returns once there is room for it.
    func settle(_ conclusion: Conclusion) async {
        if !leave(conclusion) { await waitForRoom() }
    }

    /// Leaves `conclusion` to be settled; false when ``waitForRoom()`` is to follow.
    func leave(_ conclusion: Conclusion) -> Bool {
        if conclusion.elapsed > .zero { pace.record(conclusion.elapsed) }
        let (hasRoom, isFirst) = state.withLock { state in
            state.pending.append(conclusion)
            return (state.hasRoom(options.maximumUnsettled), state.pending.count == 1)
        }
        if isFirst { arrival.raise() }
        return hasRoom
    }

    /// Returns once there is room for more.
    func waitForRoom() async {
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                let hasRoom = state.hasRoom(options.maximumUnsettled)
                if !hasRoom { state.crowded.append(continuation) }
                return hasRoom
            }
            if hasRoom { continuation.resume() }
        }
    }

    /// Settles until closed and empty.
    func run() async {
        var backlog = Backlog(nextTry: clock.now)
        while true {
            let isDue = !backlog.attempts.isEmpty && backlog.nextTry <= clock.now
            let batch = isDue ? takeRefused(from: &backlog) : takePending()
            if !batch.isEmpty {
                await settle(batch, isDue: isDue, &backlog)
                letIn(triedCount: backlog.attempts.count)
            } else if !backlog.attempts.isEmpty {
                await arrival.wait(upTo: backlog.nextTry - clock.now)
            } else if isClosedAndEmpty {
                return
            } else {
                await arrival.wait()
            }
        }
    }

    /// How many wait to be settled.
    var pendingCount: Int { state.withLock { $0.pending.count } }

    /// From now on nobody waits for room: a worker that stops must not hang on a Redis that is gone.
    func drain() {
        let crowded = state.withLock { state in
            state.isDraining = true
            defer { state.crowded = [] }
            return state.crowded
        }
        for continuation in crowded { continuation.resume() }
    }

    /// Ends `run()` once everything pending is settled.
    func close() {
        state.withLock { $0.isClosed = true }
        arrival.raise()
    }

    private var batchLimit: Int { options.batchSize * 2 }

    private func takePending() -> [Attempt] {
        let conclusions = state.withLock { state in
            let conclusions = Array(state.pending.prefix(batchLimit))
            state.pending.removeFirst(conclusions.count)
            state.triedCount += conclusions.count
            return conclusions
        }
        return conclusions.map { Attempt(conclusion: $0, settling: plan.settling($0)) }
    }

    private func takeRefused(from backlog: inout Backlog) -> [Attempt] {
        let attempts = Array(backlog.attempts.prefix(batchLimit))
        backlog.attempts.removeFirst(attempts.count)
        return attempts
    }

    /// Tries once; what remains goes to the end of the backlog, so that each has its turn.
    private func settle(_ batch: [Attempt], isDue: Bool, _ backlog: inout Backlog) async {
        do throws(BrokerError) {
            let answers = try await broker.settle(batch.map(\.settling))
            let (answered, refused) = take(answers, of: batch)
            held.remove(answered.map(\.conclusion.delivery))
            journal.record(answered)
            if !refused.isEmpty {
                let isFirst = backlog.attempts.isEmpty
                keep(refused, in: &backlog)
                // While a repeat brings something, or another one is to come anyway, nobody rests.
                guard isDue ? answered.isEmpty : isFirst else { return }
                let error = BrokerError(code: .server, message: "Redis refused to settle jobs")
                backlog.nextTry = clock.now + witness.began(error)
                giveUpIfClosed(&backlog)
            } else {
                if backlog.attempts.isEmpty { witness.ended() }
                if isDue { metrics.set(.unsettled, to: backlog.attempts.count + pendingCount) }
            }
        } catch {
            keep(batch, in: &backlog)
            let wait = witness.began(error)
            giveUpIfClosed(&backlog)
            // Nobody is there to take anything.
            if !backlog.attempts.isEmpty { try? await Task.sleep(for: wait) }
            backlog.nextTry = clock.now
        }
    }

    private func take(
        _ answers: [Settlement], of batch: [Attempt]
    ) -> (answered: [Journal.Entry], refused: [Attempt]) {
        var answered: [Journal.Entry] = []
        var refused: [Attempt] = []
        answered.reserveCapacity(batch.count)
        for (attempt, answer) in zip(batch, answers) {
            if answer == .refused {
                refused.append(attempt)
            } else {
                answered.append(
                    Journal.Entry(
                        conclusion: attempt.conclusion,
                        isLost: answer == .leaseLost && !attempt.isRepeat))
            }
        }
        return (answered, refused)
    }

    private func keep(_ batch: [Attempt], in backlog: inout Backlog) {
        for var attempt in batch {
            attempt.isRepeat = true
            backlog.attempts.append(attempt)
        }
        metrics.settleRepeated(batch.count)
        metrics.set(.unsettled, to: backlog.attempts.count + pendingCount)
    }

    private func giveUpIfClosed(_ backlog: inout Backlog) {
        guard state.withLock({ $0.isClosed }), outage.age > options.settleLimit else { return }
        journal.recordUnsettled(backlog.attempts.count)
        backlog.attempts = []
    }

    /// Lets those in who waited for room, once there is some.
    private func letIn(triedCount: Int) {
        let crowded: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.triedCount = triedCount
            guard state.hasRoom(options.maximumUnsettled) else { return [] }
            defer { state.crowded = [] }
            return state.crowded
        }
        for continuation in crowded { continuation.resume() }
    }

    private var isClosedAndEmpty: Bool {
        state.withLock { $0.isClosed && $0.pending.isEmpty }
    }
}
