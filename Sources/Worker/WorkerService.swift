package import Broker
package import JobModel
package import Logging

/// One worker process: fetch → run → settle in many lanes, and the loops that keep it honest.
///
/// Shutdown has phases: *draining* (nothing more is fetched, running jobs finish within the grace
/// period), *cancelling* (bodies are cancelled and their messages given back, the attempt not
/// counted), *stopped*.
package final class WorkerService: Sendable {
    private enum Event: Sendable {
        case laneEnded
        case fetcherEnded
        case cutOff
    }

    private let broker: any Broker
    private let options: WorkerOptions
    private let presence: WorkerPresence
    private let logger: Logger
    private let held = HeldLeases()
    private let fetcher: Fetcher
    private let settler: Settler
    private let runner: JobRunner
    private let journal: Journal
    private let outage: Outage
    private let draining = Signal()
    private let cancelling = Signal()

    package init(
        broker: any Broker, registry: JobRegistry, presence: WorkerPresence,
        options: WorkerOptions, time: any TimeSource, logger: Logger
    ) {
        self.broker = broker
        self.options = options
        self.presence = presence
        self.logger = logger
        let pace = Pace()
        let outage = Outage(logger: logger)
        self.outage = outage
        journal = Journal(logger: logger, time: time)
        let settler = Settler(
            broker: broker, plan: SettlementPlan(time: time, storesResults: options.storesResults),
            options: options, held: held, pace: pace, outage: outage, journal: journal)
        self.settler = settler
        runner = JobRunner(registry: registry, limits: options.limits, time: time, logger: logger)
        fetcher = Fetcher(
            broker: broker, worker: WorkerID(text: presence.worker), options: options, held: held,
            pace: pace, outage: outage
        ) { deliveries in
            for delivery in deliveries {
                await settler.settle(
                    Conclusion(delivery: delivery, message: nil, outcome: .released))
            }
        }
    }

    /// Works until drained.
    package func run() async {
        let renewal = broker.keepLease(of: presence, every: options.leaseRenewal) { [held] in
            held.all
        }
        await withTaskGroup(of: Void.self) { services in
            services.addTask { await self.settler.run() }
            await withTaskGroup(of: Void.self) { maintenance in
                for loop in MaintenanceLoop.all(broker: broker, options: options, logger: logger) {
                    maintenance.addTask { await loop.run() }
                }
                maintenance.addTask { await self.runner.deadlines.run() }
                await work()
                maintenance.cancelAll()
            }
            settler.close()
        }
        renewal.cancel()
        // While Redis is gone, or when this fails, the lease runs out by itself.
        if outage.age == .zero { try? await broker.leave(WorkerID(text: presence.worker)) }
    }

    /// Begins draining, as the first TERM asks.
    ///
    /// Safe to call from anywhere, any number of times.
    package func drain() { draining.raise() }

    /// Cancels running jobs and gives their messages back, as the second TERM asks.
    package func cancel() {
        draining.raise()
        cancelling.raise()
    }

    /// Jobs by outcome since the start.
    package var totals: [String: Int] { journal.totals }

    /// Deliveries taken and not yet settled.
    package var inFlight: Int { held.count }

    private func work() async {
        await withTaskGroup(of: Event.self) { group in
            group.addTask {
                await self.fetcher.run()
                return .fetcherEnded
            }
            for _ in 0..<options.concurrency {
                group.addTask {
                    await Processor(
                        fetcher: self.fetcher, runner: self.runner, settler: self.settler
                    )
                    .run()
                    return .laneEnded
                }
            }
            await draining.wait()
            logger.notice("draining", metadata: [LogKey.count: "\(held.count)"])
            await fetcher.drain()
            group.addTask { await self.cutOff() }
            var running = options.concurrency + 1
            while running > 0, let event = await group.next() {
                switch event {
                case .laneEnded, .fetcherEnded: running -= 1
                case .cutOff:
                    logger.notice("cancelling", metadata: [LogKey.count: "\(held.count)"])
                    group.cancelAll()
                }
            }
            cancelling.raise()
            group.cancelAll()
        }
    }

    /// Returns when the grace period is over, or when cancelling is asked for.
    private func cutOff() async -> Event {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [options] in try? await Task.sleep(for: options.grace) }
            group.addTask { await self.cancelling.wait() }
            await group.next()
            group.cancelAll()
            cancelling.raise()
        }
        return .cutOff
    }
}
