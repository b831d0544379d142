import Broker
import JobModel
import Logging
import Mailbox
import Telemetry

/// Gathers conclusions and settles them in batches, one round trip each.
///
/// A batch that Redis refuses or never answers is tried again until it is answered: a lease that ran
/// out meanwhile is an answer too. Only a worker that stops gives up, after `settleLimit`: the jobs
/// come back when its lease ends. Processors wait only when `maximumUnsettled` are pending.
final class Settler: Sendable {
    private struct State {
        var pending: [Conclusion] = []
        var crowded: [CheckedContinuation<Void, Never>] = []
        var isDraining = false
        var isClosed = false
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
        if conclusion.elapsed > .zero { pace.record(conclusion.elapsed) }
        let isCrowded = state.withLock { state in
            state.pending.append(conclusion)
            return state.pending.count > options.maximumUnsettled && !state.isDraining
        }
        arrival.raise()
        guard isCrowded else { return }
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                let hasRoom =
                    state.pending.count <= options.maximumUnsettled || state.isDraining
                if !hasRoom { state.crowded.append(continuation) }
                return hasRoom
            }
            if hasRoom { continuation.resume() }
        }
    }

    /// Settles until closed and empty.
    func run() async {
        while true {
            let (batch, crowded, isClosed) = state.withLock { state in
                let batch = Array(state.pending.prefix(options.batchSize * 2))
                state.pending.removeFirst(batch.count)
                defer { state.crowded = [] }
                return (batch, state.crowded, state.isClosed)
            }
            for continuation in crowded { continuation.resume() }
            if !batch.isEmpty {
                await settleUntilAnswered(batch)
            } else if isClosed {
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

    private func settleUntilAnswered(_ batch: [Conclusion]) async {
        var open = batch.map { (conclusion: $0, settling: plan.settling($0)) }
        var isRepeat = false
        while !open.isEmpty {
            do throws(BrokerError) {
                let answers = try await broker.settle(open.map(\.settling))
                let answered = zip(open, answers).filter { $0.1 != .refused }
                held.remove(answered.lazy.map(\.0.conclusion.delivery))
                for ((conclusion, _), answer) in answered {
                    journal.record(conclusion, answer, isRepeat: isRepeat)
                }
                open = zip(open, answers).filter { $0.1 == .refused }.map(\.0)
                guard !open.isEmpty else { break }
                throw BrokerError(code: .server, message: "Redis refused to settle jobs")
            } catch {
                isRepeat = true
                metrics.settleRepeated(open.count)
                metrics.set(.unsettled, to: open.count + pendingCount)
                let wait = witness.began(error)
                if isClosed, outage.age > options.settleLimit {
                    journal.recordUnsettled(open.count)
                    return
                }
                try? await Task.sleep(for: wait)
            }
        }
        witness.ended()
        if isRepeat { metrics.set(.unsettled, to: pendingCount) }
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }
}
