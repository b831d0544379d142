package import Broker
import JobModel
package import Logging
package import Telemetry

/// Moves delayed messages to their queues when their time has come.
///
/// Of all processes only one does so at a time; the others ask now and then whether it still does.
struct DuePromoter: Sendable {
    /// The shortest sleep: a worker whose clock is behind that of Redis puts a message aside again
    /// that was just promoted, and must not do so in a busy loop.
    static let resolution = Duration.milliseconds(10)
    /// The longest sleep of the one whose turn it is: how late a message may be that was put aside
    /// meanwhile and is due sooner than the others.
    static let watch = Duration.milliseconds(50)
    /// How far apart those who wait for their turn ask again, at most.
    static let spread = Duration.milliseconds(200)
    /// Messages moved in one step at most.
    static let batch = 250

    let broker: any Broker
    var batch = Self.batch
    var logger: Logger?
    var metrics: WorkerMetrics?

    /// One round; returns how long to sleep before the next.
    func runOnce() async throws(BrokerError) -> Duration {
        metrics?.vitals.beat(.maintenance)
        let promotion = try await broker.promoteDue(limit: batch, takingTurns: true)
        if let turn = promotion.untilTurn {
            return turn + Self.spread * Double.random(in: 0..<1)
        }
        if promotion.count > 0 { metrics?.promoted(promotion.count) }
        if promotion.stuck > 0 {
            logger?.error(
                "delayed messages cannot be put on their lists: what has the name is no list",
                metadata: [LogKey.count: "\(promotion.stuck)"])
        }
        if promotion.isBehind { return .zero }
        return min(max(promotion.untilNext ?? Self.watch, Self.resolution), Self.watch)
    }
}

/// Puts back what dead workers held.
struct LeaseReaper: Sendable {
    let broker: any Broker
    let options: WorkerOptions
    let logger: Logger
    var metrics: WorkerMetrics?

    /// One round; returns how long to sleep before the next.
    func runOnce() async throws(BrokerError) -> Duration {
        let reclaimed = try await broker.reclaimExpired(limit: options.maintenanceBatch)
        logger.log(reclaimed)
        if reclaimed.count > 0 { metrics?.reclaimed(reclaimed.count) }
        for poisoned in reclaimed.poisoned { metrics?.quarantined(reason: poisoned.code) }
        return reclaimed.count >= options.maintenanceBatch ? .zero : options.reapingInterval
    }
}

extension Logger {
    /// Says what became of the messages of dead workers.
    package func log(_ reclaimed: Reclamation) {
        if reclaimed.count > 0 || !reclaimed.workers.isEmpty {
            warning(
                "put back jobs whose worker is gone",
                metadata: [
                    LogKey.count: "\(reclaimed.count)",
                    LogKey.workerID: "\(reclaimed.workers.map(\.text).joined(separator: ","))",
                ])
        }
        for poisoned in reclaimed.poisoned {
            error(
                "workers died holding this message; it is in quarantine",
                metadata: [
                    LogKey.jobID: "\(poisoned.id ?? "?")",
                    LogKey.jobName: "\(poisoned.name ?? "?")",
                    LogKey.queueName: "\(poisoned.queue)", LogKey.errorCode: "\(poisoned.code)",
                    LogKey.errorMessage: "\(poisoned.message)",
                ])
        }
    }
}

/// Repeats a round of maintenance until its task is cancelled.
package struct MaintenanceLoop: Sendable {
    private let round: @Sendable () async throws(BrokerError) -> Duration
    private let outage: Outage.Witness

    init(
        _ name: String, outage: Outage,
        _ round: @escaping @Sendable () async throws(BrokerError) -> Duration
    ) {
        self.round = round
        self.outage = outage.witness(name)
    }

    /// Promotion, reclaiming, trimming and ending chords side by side, as workers and schedulers run them.
    package static func all(
        broker: any Broker, options: WorkerOptions, outage: Outage, metrics: WorkerMetrics? = nil,
        logger: Logger
    ) -> [MaintenanceLoop] {
        let promoter = DuePromoter(broker: broker, logger: logger, metrics: metrics)
        let reaper = LeaseReaper(
            broker: broker, options: options, logger: logger, metrics: metrics)
        let keeper = GraveKeeper(broker: broker, logger: logger)
        return [
            MaintenanceLoop("promote", outage: outage, promoter.runOnce),
            MaintenanceLoop("reclaim", outage: outage, reaper.runOnce),
            MaintenanceLoop("trim", outage: outage, keeper.runOnce),
            MaintenanceLoop(
                "chords", outage: outage, ChordKeeper(broker: broker, logger: logger).runOnce),
        ]
    }

    /// Runs round after round.
    package func run() async {
        while !Task.isCancelled {
            let pause: Duration
            do throws(BrokerError) {
                pause = try await round()
                outage.ended()
            } catch {
                if Task.isCancelled { return }  // what was cut off says nothing of the broker
                pause = outage.began(error)
            }
            if pause > .zero { try? await Task.sleep(for: pause) }
        }
    }
}
