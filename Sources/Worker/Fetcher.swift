import Broker
import JobModel
import Mailbox
import Telemetry

/// Hands deliveries to the processors, reserving in batches for all of them at once.
///
/// It reserves when processors are idle, and one batch ahead at most while jobs are short, so that
/// nothing is leased that nobody works on. When every list is empty it waits on all of them instead
/// of asking again.
final class Fetcher: Sendable {
    private static let interruptInterval = Duration.milliseconds(50)
    private static let leaseInterval = Duration.milliseconds(50)

    private struct State {
        var queues: [QueueName]
        var areQueuesNew = true
        /// Lanes that end instead of taking their next delivery.
        var departures = 0
        var ready: [Delivery] = []  // the next one last
        var idle: [CheckedContinuation<Delivery?, Never>] = []
        var isQuiet = false
        var isDraining = false
    }

    private let state: Locked<State>
    private let broker: any Broker
    private let worker: WorkerID
    private let options: WorkerOptions
    private let held: HeldLeases
    private let pace: Pace
    private let outage: Outage.Witness
    private let metrics: WorkerMetrics
    private let isLeaseCurrent: @Sendable () -> Bool
    private let giveBack: @Sendable ([Delivery]) async -> Void
    /// Raised when a processor wants work.
    private let demand = Signal()
    /// Raised when a waiter brought something.
    private let arrival = Signal()
    private let waiters = WaiterRoster()
    /// Open while every list was found empty.
    private let idleness = Gate()

    init(
        broker: any Broker, worker: WorkerID, options: WorkerOptions, held: HeldLeases,
        pace: Pace, outage: Outage, metrics: WorkerMetrics,
        isLeaseCurrent: @escaping @Sendable () -> Bool,
        giveBack: @escaping @Sendable ([Delivery]) async -> Void
    ) {
        state = Locked(State(queues: options.queues))
        self.broker = broker
        self.worker = worker
        self.options = options
        self.held = held
        self.pace = pace
        self.outage = outage.witness("fetch")
        self.metrics = metrics
        self.isLeaseCurrent = isLeaseCurrent
        self.giveBack = giveBack
    }

    /// The next delivery; nil when the lane that asks is to end: draining has begun, or there are
    /// lanes too many.
    func next() async -> Delivery? {
        await withCheckedContinuation { continuation in
            let (answer, runsLow): (Delivery??, Bool) = state.withLock { state in
                if state.isDraining { return (.some(nil), false) }
                if state.departures > 0 {
                    state.departures -= 1
                    return (.some(nil), false)
                }
                if let delivery = state.ready.popLast() {
                    let left = state.ready.count
                    let isLow = left == options.batchSize / 2 || left == options.prefetch / 2
                    return (.some(delivery), isLow)
                }
                state.idle.append(continuation)
                return (nil, true)
            }
            if let answer { continuation.resume(returning: answer) }
            if runsLow { demand.raise() }
        }
    }

    /// Fetches until draining begins; returns when nothing more can arrive.
    func run() async {
        await withDiscardingTaskGroup { group in
            await reserveWhileWanted { task in group.addTask { await task() } }
            // Again and again: a wait that had not begun when it was interrupted begins all the same.
            while !waiters.all.isEmpty {
                await interrupt(waiters.all)
                try? await Task.sleep(for: Self.interruptInterval)
            }
        }
    }

    // MARK: What it serves, and for how many lanes

    /// The queues served now.
    var queues: [QueueName] { state.withLock { $0.queues } }

    /// What is held and not begun, the next one first.
    var ready: [Delivery] { state.withLock { $0.ready.reversed() } }

    /// Serves another set of queues from the next round on, which begins at once.
    ///
    /// What was taken from a queue that is no longer served is run all the same.
    func serve(_ change: (inout [QueueName]) -> Void) {
        state.withLock { state in
            change(&state.queues)
            state.areQueuesNew = true
        }
        demand.raise()
        arrival.raise()
    }

    /// Lets so many lanes end: idle ones at once, others after their present job.
    func dismiss(_ count: Int) {
        let idle = state.withLock { state in
            let now = min(count, state.idle.count)
            state.departures += count - now
            defer { state.idle.removeFirst(now) }
            return Array(state.idle.prefix(now))
        }
        for continuation in idle { continuation.resume(returning: nil) }
    }

    /// Keeps lanes that were to end; returns how many.
    func retain(_ count: Int) -> Int {
        state.withLock { state in
            let kept = min(count, state.departures)
            state.departures -= kept
            return kept
        }
    }

    // MARK: Orders

    /// Takes nothing more from now on; what was reserved and not begun is given back, and what runs
    /// goes on.
    func quiet() async {
        let ready = state.withLock { state in
            state.isQuiet = true
            defer { state.ready = [] }
            return state.ready
        }
        idleness.close()
        demand.raise()
        arrival.raise()
        if !ready.isEmpty { await giveBack(ready.reversed()) }
        await interrupt(waiters.all)
    }

    /// All at once: a server that does not answer takes its time for each.
    private func interrupt(_ entries: [WaiterRoster.Entry]) async {
        await withTaskGroup(of: Void.self) { group in
            for entry in entries { group.addTask { await entry.waiter.interrupt() } }
        }
    }

    /// Begins draining: every processor ends after its present job, and what was reserved and not
    /// begun is given back.
    func drain() async {
        let (idle, ready) = state.withLock { state in
            state.isDraining = true
            defer {
                state.idle = []
                state.ready = []
            }
            return (state.idle, state.ready)
        }
        for continuation in idle { continuation.resume(returning: nil) }
        demand.raise()
        arrival.raise()
        idleness.unlock()
        if !ready.isEmpty { await giveBack(ready.reversed()) }
    }

    private func reserveWhileWanted(
        _ start: (@escaping @Sendable () async -> Void) -> Void
    ) async {
        var turn = 0
        var order: QueueOrder?
        while !isDraining {
            if let queues = newQueues {
                order = queues.isEmpty ? nil : QueueOrder(queues)
                changeWaiters(to: order?.lists(turn: 0) ?? [], start)
            }
            let count = wanted
            guard count > 0, let order else {
                metrics.vitals.fetch.rest()
                await demand.wait()
                metrics.vitals.fetch.resume()
                continue
            }
            await leaseStands()
            do throws(BrokerError) {
                let deliveries = try await broker.reserve(
                    upTo: count, for: worker, from: order.lists(turn: turn))
                outage.ended()
                metrics.reserved(deliveries.count)
                turn &+= 1
                await accept(deliveries)
                guard deliveries.isEmpty, !isStopping else { continue }
                idleness.open()
                await arrival.wait()
            } catch {
                try? await Task.sleep(for: outage.began(error))
            }
        }
    }

    /// The queues, when they are others than before.
    private var newQueues: [QueueName]? {
        state.withLock { state in
            guard state.areQueuesNew else { return nil }
            state.areQueuesNew = false
            return state.queues
        }
    }

    private func changeWaiters(
        to lists: [ListAddress], _ start: (@escaping @Sendable () async -> Void) -> Void
    ) {
        let change = waiters.change(to: lists) { broker.waiters(for: worker, on: $0) }
        for entry in change.started {
            start {
                await self.waitOnList(entry)
                self.waiters.remove(entry)
                await entry.waiter.close()
            }
        }
        guard !change.retired.isEmpty else { return }
        let retired = change.retired
        // The others that wait there meet an empty list, or what they bring is given back.
        idleness.letThrough()
        start {
            while self.waiters.all.contains(where: { entry in retired.contains { $0 === entry } }) {
                await self.interrupt(retired)
                try? await Task.sleep(for: Self.interruptInterval)
            }
        }
    }

    /// Returns once the lease stands again, or the worker stops: what is taken under one that has run
    /// out would only be given back.
    private func leaseStands() async {
        while !isLeaseCurrent(), !isStopping { try? await Task.sleep(for: Self.leaseInterval) }
    }

    private func waitOnList(_ entry: WaiterRoster.Entry) async {
        while true {
            await idleness.pass()
            await leaseStands()
            if isDraining || entry.isRetired { return }
            do throws(BrokerError) {
                let deliveries = try await entry.waiter.wait(upTo: options.waitLimit)
                outage.ended()
                metrics.waited()
                if deliveries.isEmpty { continue }
                idleness.close()
                await accept(deliveries)
            } catch {
                idleness.close()
                try? await Task.sleep(for: outage.began(error))
            }
            arrival.raise()
        }
    }

    /// Hands deliveries to idle processors.
    ///
    /// The rest is kept only as far as fetching ahead allows: what a waiter brings while every
    /// processor is busy belongs to a worker that is not.
    private func accept(_ deliveries: [Delivery]) async {
        guard !deliveries.isEmpty else { return }
        held.add(deliveries)
        let room = ahead
        let (matched, surplus) = state.withLock { state in
            if state.isDraining || state.isQuiet { return ([Match](), deliveries[...]) }
            let count = min(state.idle.count, deliveries.count)
            let matched = zip(state.idle.suffix(count), deliveries.prefix(count)).map { ($0, $1) }
            state.idle.removeLast(count)
            let kept = deliveries.dropFirst(count).prefix(max(0, room - state.ready.count))
            state.ready.insert(contentsOf: kept.reversed(), at: 0)
            return (matched, deliveries.dropFirst(count + kept.count))
        }
        for (continuation, delivery) in matched { continuation.resume(returning: delivery) }
        if !surplus.isEmpty { await giveBack(Array(surplus)) }
    }

    private typealias Match = (CheckedContinuation<Delivery?, Never>, Delivery)

    /// How many deliveries may be held beyond those that run.
    private var ahead: Int { max(options.prefetch, pace.isBrisk ? options.batchSize : 0) }

    private var wanted: Int {
        let ahead = ahead
        return state.withLock { state in
            if state.isDraining || state.isQuiet { return 0 }
            if state.idle.isEmpty, state.ready.count > ahead / 2 { return 0 }
            return min(options.batchSize, state.idle.count + ahead - state.ready.count)
        }
    }

    private var isDraining: Bool { state.withLock { $0.isDraining } }
    private var isStopping: Bool { state.withLock { $0.isDraining || $0.isQuiet } }
}
