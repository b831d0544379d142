package import Broker
package import JobModel
package import Logging
import Mailbox
package import Telemetry

/// One worker process: fetch → run → settle in many lanes, and the loops that keep it honest.
///
/// Shutdown has phases: *draining* (nothing more is fetched, running jobs finish within the grace
/// period), *cancelling* (bodies are asked to end), and at last those that ignore it are given up;
/// the messages of both go back, the attempt not counted.
package final class WorkerService: Sendable {
    private enum Event: Sendable {
        case lanesEnded
        case fetcherEnded
        case cutOff
        case givenUp
    }

    struct State {
        var phase = WorkerPhase.starting
        var lostSlots = 0
        var recycling: String?
        var isRefused = false
    }

    /// Says whether the worker may take jobs at all; asked once, before the first fetch.
    ///
    /// It may wait as long as it likes, looking now and then whether all is over.
    package typealias Admission = @Sendable (_ isOver: @Sendable () -> Bool) async -> Bool

    /// How often time limits are looked at; a run may be this late.
    private static let tickMicroseconds: UInt32 = 50_000

    private let broker: any Broker
    private let options: WorkerOptions
    private let presence: WorkerPresence
    private let logger: Logger
    let held: HeldLeases
    let runs = ActiveRuns()
    let lease: LeaseKeeper
    let fetcher: Fetcher
    private let settler: Settler
    private let runner: JobRunner
    private let cancellations: CancellationWatch
    let lanes: LanePool
    private let autoscaler: Autoscaler?
    private let remote: RemoteControl?
    let journal: Journal
    let events: WorkerEvents
    let outage: Outage
    let metrics: WorkerMetrics
    private let onStuck: @Sendable () -> Void
    private let admission: Admission?
    let state = Locked(State())
    private let quieting = Signal()
    private let draining = Signal()
    private let cancelling = Signal()
    private let abandoning = Signal()

    /// Puts a worker together; `run()` starts it.
    ///
    /// `effects` is where jobs record what they have done, so that a repeat is recognised; `control`
    /// is what remote control needs of the process. `onStuck`
    /// is called, perhaps more than once and from a thread of the worker's own, when bodies that were
    /// given up block every thread: nothing but the end of the process helps then.
    package init(
        broker: any Broker, registry: JobRegistry, presence: WorkerPresence,
        options: WorkerOptions, effects: (any EffectLedger)? = nil,
        metrics given: WorkerMetrics? = nil, time: any TimeSource, logger: Logger,
        control: ControlPorts = ControlPorts(), admission: Admission? = nil,
        onStuck: @escaping @Sendable () -> Void = {}
    ) {
        self.broker = broker
        self.options = options
        self.presence = presence
        self.logger = logger
        self.admission = admission
        self.onStuck = onStuck
        let registry = registry.adding(builtIns: CeleryTasks.all(over: registry))
        let worker = WorkerID(text: presence.worker)
        let rules = registry.canvasRules
        let pace = Pace()
        let metrics =
            given
            ?? WorkerMetrics(
                registry: MetricRegistry(), vitals: WorkerVitals(), version: presence.version,
                jobNames: registry.names.map(\.text), queues: presence.queues)
        self.metrics = metrics
        let outage = Outage(logger: logger, metrics: metrics)
        self.outage = outage
        held = HeldLeases(metrics: metrics)
        let told = TaskEvents(options.events, clock: control.clock, time: time, metrics: metrics)
        let journal = Journal(logger: logger, metrics: metrics, events: told)
        self.journal = journal
        let events = WorkerEvents(
            told, options: options, broker: broker, presence: presence, logger: logger
        ) { [runs] in WorkerBeat(active: runs.count, processed: journal.total) }
        self.events = events
        let settler = Settler(
            broker: broker, plan: SettlementPlan(rules: rules, time: time, options: options),
            options: options, held: held, pace: pace, outage: outage, journal: journal,
            metrics: metrics)
        self.settler = settler
        let note = PresenceNote(presence, queues: options.queues)
        if let least = options.autoscale?.lowerBound { note.note(concurrency: least) }
        lease = LeaseKeeper(
            broker: broker, presence: { note.presence }, options: options, held: held, runs: runs,
            metrics: metrics)
        cancellations = CancellationWatch(
            broker: broker, runs: runs, interval: options.cancellationInterval)
        let tuning = JobTuning()
        let kinds = JobKinds(registry, margin: options.hardLimitMargin)
        let states = StateReporter(
            broker: broker, options: options, processID: presence.processID, time: time,
            logger: logger)
        let site = JobSite(rules: rules, time: time, logger: logger) { scope, state, meta in
            try await states.report(state, meta, of: scope.message, scope.body)
        }
        runner = JobRunner(
            kinds: kinds, site: site, options: options, runs: runs,
            cancellations: cancellations, tuning: tuning,
            suspects: SuspectLane(
                broker: broker, worker: worker, maximumDeaths: options.maximumDeaths),
            lease: lease, effects: effects, states: states,
            classifier: OutcomeClassifier(time: time), events: told, time: time,
            logger: logger)
        let giveBack: @Sendable ([Delivery]) async -> Void = { deliveries in
            for delivery in deliveries {
                await settler.settle(
                    Conclusion(delivery: delivery, message: nil, outcome: .released))
            }
        }
        fetcher = Fetcher(
            broker: broker, worker: worker, options: options, held: held, pace: pace,
            outage: outage, metrics: metrics, isLeaseCurrent: { [lease] in lease.isCurrent() },
            giveBack: giveBack)
        let lanes = LanePool(
            options.autoscale?.lowerBound ?? options.concurrency, fetcher: fetcher, presence: note)
        self.lanes = lanes
        autoscaler = options.autoscale.map { [runs] bounds in
            Autoscaler(bounds, lanes: lanes) { runs.count }
        }
        remote =
            options.hearsCommands
            ? RemoteControl(
                ControlSite(
                    node: options.nodeName, processID: presence.processID,
                    startedAt: presence.startedAt, broker: broker, registry: registry,
                    kinds: kinds, options: options, runs: runs, fetcher: fetcher, lanes: lanes,
                    autoscaler: autoscaler, tuning: tuning, cancellations: cancellations,
                    presence: note, ports: control.telling(events), time: time, logger: logger,
                    drain: { [draining] in draining.raise() })) : nil
    }

    /// Works until it was told to stop and has, or until it had better be started anew.
    ///
    /// Bodies that were given up may still run when it returns; the caller ends the process.
    @discardableResult
    package func run() async -> WorkerEnd {
        lease.start()
        metrics.vitals.notePrepared()
        let ticker = Ticker(name: "limits", everyMicroseconds: Self.tickMicroseconds) {
            [runs, metrics, onStuck] in
            if runs.sweep() { onStuck() }
            metrics.set(.jobsRunning, to: runs.count)
        }
        await withTaskGroup(of: Void.self) { services in
            services.addTask { await self.events.run() }
            services.addTask {
                await self.settler.run()
                self.events.close()
            }
            await withTaskGroup(of: Void.self) { maintenance in
                for loop in maintenanceLoops { maintenance.addTask { await loop.run() } }
                maintenance.addTask { await self.remote?.run() }
                maintenance.addTask { await self.autoscaler?.run() }
                maintenance.addTask {
                    await self.quieting.wait()
                    await self.fetcher.quiet()
                }
                await work()
                quieting.raise()
                maintenance.cancelAll()
            }
            settler.close()
        }
        ticker.stop()
        lease.stop()
        // While Redis is gone, or when this fails, the lease runs out by itself.
        if outage.age == .zero { try? await broker.leave(WorkerID(text: presence.worker)) }
        state.withLock { $0.phase = .stopped }
        let (reason, isRefused) = state.withLock { ($0.recycling, $0.isRefused) }
        if isRefused { return .refused }
        return reason.map { .recycle(because: $0) } ?? .drained
    }

    // MARK: Orders; safe to give from anywhere, any number of times

    /// Takes nothing more; running jobs go on, and the worker waits to be told to stop.
    package func quiet() {
        let isNew = state.withLock { state in
            guard state.phase == .starting || state.phase == .working else { return false }
            state.phase = .quiet
            return true
        }
        guard isNew else { return }
        metrics.vitals.note(quiet: true)
        logger.notice("quiet", metadata: [LogKey.count: "\(held.count)"])
        quieting.raise()
    }

    /// Begins draining, as the first TERM asks.
    package func drain() { draining.raise() }

    /// Cancels running jobs and gives their messages back, as the second TERM asks.
    package func cancel() {
        draining.raise()
        cancelling.raise()
    }

    /// Gives every message back now, also of jobs that ignore their cancellation, as QUIT asks.
    package func abandon() {
        cancel()
        abandoning.raise()
    }

    /// Drains, so that the process can be started anew; `run()` then says why.
    ///
    /// A worker that is told to stop is not started anew, whatever it finds on its way out.
    package func recycle(because reason: String) {
        guard !isStopping else { return }
        let isNew = state.withLock { state in
            defer { state.recycling = state.recycling ?? reason }
            return state.recycling == nil
        }
        guard isNew else { return }
        logger.warning("the process will be started anew", metadata: [LogKey.reason: "\(reason)"])
        draining.raise()
    }

    // MARK: Work

    private var maintenanceLoops: [MaintenanceLoop] {
        MaintenanceLoop.all(
            broker: broker, options: options, outage: outage, metrics: metrics, logger: logger)
            + [MaintenanceLoop("cancellations", outage: outage, cancellations.runOnce)]
    }

    private func work() async {
        await withTaskGroup(of: Event.self) { group in
            group.addTask {
                await self.fetch()
                return .fetcherEnded
            }
            group.addTask {
                let lane = Processor(
                    fetcher: self.fetcher, runner: self.runner, settler: self.settler,
                    runs: self.runs, onSlotLost: self.slotLost)
                await self.lanes.run { await lane.run() }
                return .lanesEnded
            }
            await draining.wait()
            enter(.draining)
            metrics.vitals.noteDraining()
            runs.end(within: options.grace + options.cancelLimit)
            cancellations.stop()
            settler.drain()
            lanes.drain()
            await fetcher.drain()
            group.addTask {
                await self.cancelling.wait(upTo: self.options.grace)
                return .cutOff
            }
            var running = 2
            while running > 0, let event = await group.next() {
                switch event {
                case .lanesEnded, .fetcherEnded: running -= 1
                case .cutOff:
                    enter(.cancelling)
                    runs.cancelAll()
                    group.addTask {
                        await self.abandoning.wait(upTo: self.options.cancelLimit)
                        return .givenUp
                    }
                case .givenUp: runs.abandonAll()
                }
            }
            cancelling.raise()
            abandoning.raise()
            group.cancelAll()
        }
    }

    private func fetch() async {
        if let admission {
            let isAdmitted = await admission { self.isStopping }
            if !isAdmitted, !isStopping {
                state.withLock { $0.isRefused = true }
                return draining.raise()
            }
        }
        await cancellations.loadedOnce()
        await fetcher.run()
    }

    private var isStopping: Bool {
        state.withLock { $0.phase != .starting && $0.phase != .working && $0.phase != .quiet }
    }

    private func enter(_ phase: WorkerPhase) {
        state.withLock { $0.phase = phase }
        logger.notice("\(phase.rawValue)", metadata: [LogKey.count: "\(held.count)"])
    }

    private func slotLost() {
        let count = state.withLock { state in
            state.lostSlots += 1
            return state.lostSlots
        }
        metrics.set(.slotsLost, to: count)
        recycle(because: "a job ignored its cancellation")
    }
}
