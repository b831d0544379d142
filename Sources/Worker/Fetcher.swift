import Broker
import JobModel
import Mailbox
import Telemetry

/// Hands deliveries to the lanes, reserving in batches for all of them at once.
///
/// It reserves when lanes are idle, and one or two batches ahead while jobs are short, so that nothing
/// is leased that nobody works on. When every list is empty it waits on all of them instead
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
        var idle: [CheckedContinuation<Wake, Never>] = []
        /// Lanes that were woken and have not looked yet.
        var wakingCount = 0
        /// More is fetched when so many are left.
        var lowWater = 0
        var isQuiet = false
        var isDraining = false

        /// How many lanes would take a delivery now.
        var freeCount: Int { idle.count + wakingCount }

        /// The lane to wake, if one more is needed.
        ///
        /// One at a time, and each wakes the next: lanes whose bodies never wait empty the store
        /// before the next one has woken, and lanes whose bodies do wait are soon all at work.
        mutating func laneToWake() -> CheckedContinuation<Wake, Never>? {
            guard !ready.isEmpty, wakingCount == 0, let lane = idle.popLast() else { return nil }
            wakingCount = 1
            return lane
        }
    }

    /// Why a lane that waited goes on.
    private enum Wake {
        /// It was chosen: it counts as waking until it has looked.
        case chosen
        /// Something came before it had begun to wait.
        case early
        case end
    }

    /// What a lane that asks is told.
    private enum Answer {
        case delivery(Delivery, wake: CheckedContinuation<Wake, Never>?, runsLow: Bool)
        case end(wake: CheckedContinuation<Wake, Never>?)
        case wait
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
    /// Raised when a lane wants work.
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
        var wake = Wake.early
        while true {
            switch state.withLock({ answer(&$0, wake) }) {
            case .delivery(let delivery, let lane, let runsLow):
                lane?.resume(returning: .chosen)
                if runsLow { demand.raise() }
                return delivery
            case .end(let lane):
                lane?.resume(returning: .chosen)
                return nil
            case .wait: wake = await idle()
            }
            if case .end = wake { return nil }
        }
    }

    /// The next delivery when there is one at once, as ``next()`` would give.
    func take() -> Delivery? {
        let answer: Answer? = state.withLock { state in
            let isPlain = !state.ready.isEmpty && !state.isDraining && state.departures == 0
            return isPlain ? self.answer(&state, .early) : nil
        }
        guard case .delivery(let delivery, let lane, let runsLow)? = answer else { return nil }
        lane?.resume(returning: .chosen)
        if runsLow { demand.raise() }
        return delivery
    }

    private func answer(_ state: inout State, _ wake: Wake) -> Answer {
        if case .chosen = wake { state.wakingCount -= 1 }
        if state.isDraining { return .end(wake: nil) }
        if state.departures > 0 {
            state.departures -= 1
            // What it was woken for is another's now.
            return .end(wake: state.laneToWake())
        }
        guard let delivery = state.ready.popLast() else { return .wait }
        return .delivery(
            delivery, wake: state.laneToWake(), runsLow: state.ready.count == state.lowWater)
    }

    private func idle() async -> Wake {
        await withCheckedContinuation { lane in
            let mayWait = state.withLock { state in
                let mayWait = state.ready.isEmpty && !state.isDraining && state.departures == 0
                if mayWait { state.idle.append(lane) }
                return mayWait
            }
            if mayWait { demand.raise() } else { lane.resume(returning: .early) }
        }
    }

    /// Fetches until draining begins; returns when nothing more can arrive.
    func run() async {
        await withDiscardingTaskGroup { group in
            await withTaskExecutorPreference(broker.executor) {
                await reserveWhileWanted { executor, task in
                    group.addTask(executorPreference: executor) { await task() }
                }
            }
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
        for lane in idle { lane.resume(returning: .end) }
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
        for lane in idle { lane.resume(returning: .end) }
        demand.raise()
        arrival.raise()
        idleness.unlock()
        if !ready.isEmpty { await giveBack(ready.reversed()) }
    }

    /// Starts a task, on an executor if one is named.
    private typealias Start = ((any TaskExecutor)?, @escaping @Sendable () async -> Void) -> Void

    private func reserveWhileWanted(_ start: Start) async {
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

    private func changeWaiters(to lists: [ListAddress], _ start: Start) {
        let change = waiters.change(to: lists) { broker.waiters(for: worker, on: $0) }
        for entry in change.started {
            start(entry.waiter.executor) {
                await self.waitOnList(entry)
                self.waiters.remove(entry)
                await entry.waiter.close()
            }
        }
        guard !change.retired.isEmpty else { return }
        let retired = change.retired
        // The others that wait there meet an empty list, or what they bring is given back.
        idleness.letThrough()
        start(nil) {
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

    /// Hands deliveries to the lanes.
    ///
    /// Beyond what idle lanes take, they are kept only as far as fetching ahead allows: what a waiter
    /// brings while every lane is busy belongs to a worker that is not.
    private func accept(_ deliveries: [Delivery]) async {
        guard !deliveries.isEmpty else { return }
        held.add(deliveries)
        let ahead = ahead
        let (lane, surplus) = state.withLock { state in
            if state.isDraining || state.isQuiet {
                return (CheckedContinuation<Wake, Never>?.none, deliveries[...])
            }
            let kept = deliveries.prefix(max(0, state.freeCount + ahead - state.ready.count))
            state.ready.insert(contentsOf: kept.reversed(), at: 0)
            return (state.laneToWake(), deliveries.dropFirst(kept.count))
        }
        lane?.resume(returning: .chosen)
        if !surplus.isEmpty { await giveBack(Array(surplus)) }
    }

    /// How many deliveries may be held beyond those that lanes have.
    private var ahead: Int { max(options.prefetch, pace.batchesAhead * options.batchSize) }

    private var wanted: Int {
        let ahead = ahead
        return state.withLock { state in
            if state.isDraining || state.isQuiet { return 0 }
            state.lowWater = ahead / 2
            let (ready, free) = (state.ready.count, state.freeCount)
            if ready > state.lowWater, ready >= free { return 0 }
            return max(0, min(options.batchSize, free + ahead - ready))
        }
    }

    private var isDraining: Bool { state.withLock { $0.isDraining } }
    private var isStopping: Bool { state.withLock { $0.isDraining || $0.isQuiet } }
}
