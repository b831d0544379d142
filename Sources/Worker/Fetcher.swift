import Broker
import JobModel
import Mailbox
import Telemetry

/// Hands deliveries to the lanes, reserving in batches for all of them at once.
///
/// It reserves when lanes are idle, and some batches ahead while jobs are short, so that nothing is
/// leased that nobody works on. From a distant Redis the next batch is asked for before the last has
/// come. When every list is empty it waits on all of them instead of asking again.
final class Fetcher: Sendable {
    private static let interruptInterval = Duration.milliseconds(50)
    private static let leaseInterval = Duration.milliseconds(50)
    /// Beyond this round trip, the next batch is asked for before the last has come.
    ///
    /// Within it that would only make the server's queue longer, at a tenth of the rate.
    static let nearLimit = Duration.microseconds(500)

    private let stock: Locked<Stock>
    private let broker: any Broker
    private let worker: WorkerID
    private let options: WorkerOptions
    private let held: HeldLeases
    private let pace: Pace
    private let outage: Outage.Witness
    private let metrics: WorkerMetrics
    private let isLeaseCurrent: @Sendable () -> Bool
    private let giveBack: @Sendable ([Delivery]) async -> Void
    /// Raised when there may be a reason to reserve.
    private let demand = Signal()
    private let waiters = WaiterRoster()
    /// Open while every list was found empty.
    private let idleness = Gate()

    init(
        broker: any Broker, worker: WorkerID, options: WorkerOptions, held: HeldLeases,
        pace: Pace, outage: Outage, metrics: WorkerMetrics,
        isLeaseCurrent: @escaping @Sendable () -> Bool,
        giveBack: @escaping @Sendable ([Delivery]) async -> Void
    ) {
        stock = Locked(Stock(queues: options.queues))
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
        var wake = Stock.Wake.early
        while true {
            switch stock.withLock({ $0.answer(wake) }) {
            case .delivery(let delivery, let lane, let runsLow):
                return hand(delivery, waking: lane, runsLow: runsLow)
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
        let answer = stock.withLock { $0.hasDelivery ? $0.answer(.early) : nil }
        guard case .delivery(let delivery, let lane, let runsLow)? = answer else { return nil }
        return hand(delivery, waking: lane, runsLow: runsLow)
    }

    private func hand(_ delivery: Delivery, waking lane: Stock.Lane?, runsLow: Bool) -> Delivery {
        lane?.resume(returning: .chosen)
        if runsLow { demand.raise() }
        return delivery
    }

    private func idle() async -> Stock.Wake {
        await withCheckedContinuation { lane in
            let mayWait = stock.withLock { stock in
                if stock.hasNothing { stock.idle.append(lane) }
                return stock.hasNothing
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
    var queues: [QueueName] { stock.withLock { $0.queues } }

    /// What is held and not begun, the next one first.
    var ready: [Delivery] { stock.withLock { $0.ready.reversed() } }

    /// Serves another set of queues from the next round on, which begins at once.
    ///
    /// What was taken from a queue that is no longer served is run all the same.
    func serve(_ change: (inout [QueueName]) -> Void) {
        stock.withLock { stock in
            change(&stock.queues)
            stock.areQueuesNew = true
            stock.areListsEmpty = false
        }
        demand.raise()
    }

    /// Lets so many lanes end: idle ones at once, others after their present job.
    func dismiss(_ count: Int) {
        let idle = stock.withLock { stock in
            let now = min(count, stock.idle.count)
            stock.departures += count - now
            defer { stock.idle.removeFirst(now) }
            return Array(stock.idle.prefix(now))
        }
        for lane in idle { lane.resume(returning: .end) }
    }

    /// Keeps lanes that were to end; returns how many.
    func retain(_ count: Int) -> Int {
        stock.withLock { stock in
            let kept = min(count, stock.departures)
            stock.departures -= kept
            return kept
        }
    }

    // MARK: Orders

    /// Takes nothing more from now on; what was reserved and not begun is given back, and what runs
    /// goes on.
    func quiet() async {
        let ready = stock.withLock { stock in
            stock.isQuiet = true
            defer { stock.ready = [] }
            return stock.ready
        }
        idleness.close()
        demand.raise()
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
        let (idle, ready) = stock.withLock { stock in
            stock.isDraining = true
            defer {
                stock.idle = []
                stock.ready = []
            }
            return (stock.idle, stock.ready)
        }
        for lane in idle { lane.resume(returning: .end) }
        demand.raise()
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
            guard let order, let count = claim() else {
                let isAtRest = order == nil || stock.withLock { $0.isAtRest }
                if isAtRest { metrics.vitals.fetch.rest() }
                await demand.wait()
                if isAtRest { metrics.vitals.fetch.resume() }
                continue
            }
            let lists = order.lists(turn: turn)
            turn &+= 1
            start(broker.executor) { await self.reserve(count, from: lists) }
        }
    }

    /// One reserve, from its claim to the lanes.
    private func reserve(_ count: Int, from lists: [ListAddress]) async {
        await leaseStands()
        do throws(BrokerError) {
            let deliveries = try await broker.reserve(upTo: count, for: worker, from: lists)
            outage.ended()
            metrics.reserved(deliveries.count)
            answered(count, with: deliveries.count)
            await accept(deliveries)
        } catch {
            try? await Task.sleep(for: outage.began(error))
            stock.withLock { $0.ended(asking: count, bringing: nil) }
        }
        demand.raise()
    }

    /// Notes what a reserve brought; waiters wait from when it brought nothing.
    private func answered(_ count: Int, with brought: Int) {
        let mayWait = stock.withLock { stock in
            stock.ended(asking: count, bringing: brought)
            return stock.areListsEmpty && !stock.isStopping
        }
        if mayWait { idleness.open() } else { idleness.close() }
    }

    /// Goes on reserving although every list was empty.
    private func reserveAgain() {
        idleness.close()
        stock.withLock { $0.areListsEmpty = false }
        demand.raise()
    }

    /// The queues, when they are others than before.
    private var newQueues: [QueueName]? {
        stock.withLock { stock in
            guard stock.areQueuesNew else { return nil }
            stock.areQueuesNew = false
            return stock.queues
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
                if !deliveries.isEmpty {
                    idleness.close()
                    await accept(deliveries)
                }
                outage.ended()
                metrics.waited()
                if deliveries.isEmpty { continue }
            } catch {
                idleness.close()
                try? await Task.sleep(for: outage.began(error))
            }
            reserveAgain()
        }
    }

    /// Hands deliveries to the lanes.
    ///
    /// Beyond what idle lanes take, they are kept only as far as fetching ahead allows: what a waiter
    /// brings while every lane is busy belongs to a worker that is not.
    private func accept(_ deliveries: [Delivery]) async {
        guard !deliveries.isEmpty else { return }
        held.add(deliveries)
        let ahead = target.ahead
        let (lane, surplus) = stock.withLock { $0.keep(deliveries, ahead: ahead) }
        lane?.resume(returning: .chosen)
        if !surplus.isEmpty { await giveBack(surplus) }
    }

    private func claim() -> Int? {
        let target = target
        return stock.withLock { $0.claim(target) }
    }

    private var target: Stock.Target {
        let isFar = broker.roundTrip > Self.nearLimit
        let ahead = max(options.prefetch, pace.batchesAhead(isFar: isFar) * options.batchSize)
        return Stock.Target(batch: options.batchSize, ahead: ahead, isFar: isFar)
    }

    private var isDraining: Bool { stock.withLock { $0.isDraining } }
    private var isStopping: Bool { stock.withLock { $0.isStopping } }
}
