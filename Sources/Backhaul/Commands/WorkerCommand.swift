import ArgumentParser
import Broker
import Enqueue
import Foundation
import HTTP
import JobModel
import Jobs
import Logging
import Postgres
import Worker

/// `backhaul worker`: runs jobs until it is told to stop.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run jobs from queues, as `celery worker` would.",
        discussion: """
            TERM or INT: take nothing more, let running jobs finish (worker.grace_seconds),
            then cancel them and put their messages back. A second one cancels at once.
            What a killed worker held is put back by the others within worker.lease_seconds.

            Examples:
              backhaul worker
              backhaul worker --queues provisioning,payments --concurrency 64
              backhaul worker --config /etc/backhaul.yaml --log-format json
            """)

    @OptionGroup var shared: SharedOptions
    @OptionGroup var worker: WorkerFlags

    func run() async throws {
        let loaded = try shared.load(adding: worker.flagValues)
        let composition = Composition(loaded)
        let url: Secret
        do { url = try loaded.databaseURL() } catch { throw error.exit() }
        let broker = try composition.broker(quietly: true)
        let pool = composition.pool(at: url)
        let webhookSender = composition.sender()
        let gatewaySender = composition.sender(answers: PaymentGateway.maximumAnswerBytes)
        let registry = composition.registry(
            composition.services(
                pool: pool, enqueuer: Enqueuer(broker: broker), webhookSender: webhookSender,
                gatewaySender: gatewaySender))
        do throws(BrokerError) {
            try await broker.declare(composition.settings.worker.queues)
        } catch {
            composition.logger.warning(
                "Redis cannot be reached yet; waiting for it",
                metadata: [LogKey.errorMessage: "\(error)"])
        }
        let presence = composition.presence(startedAt: SystemTime().now)
        let service = WorkerService(
            broker: broker, registry: registry, presence: presence,
            options: composition.settings.workerOptions,
            effects: composition.effectLedger(pool: pool), time: SystemTime(),
            logger: composition.logger)
        announce(presence, registry, composition.logger)
        await run(service, composition.logger)
        await broker.close()
        await webhookSender.shutdown()
        await gatewaySender.shutdown()
        await pool.shutdown()
        composition.logger.notice(
            "worker stopped",
            metadata: Logger.Metadata(
                uniqueKeysWithValues: service.totals.map { ($0.key, "\($0.value)") }))
    }

    private func announce(
        _ presence: WorkerPresence, _ registry: JobRegistry, _ logger: Logger
    ) {
        logger.notice(
            "worker started",
            metadata: [
                LogKey.workerID: "\(presence.worker)",
                LogKey.queueName: "\(presence.queues.joined(separator: ","))",
                LogKey.concurrency: "\(presence.concurrency)",
                LogKey.count: "\(registry.names.count)",
            ])
    }

    private func run(_ service: WorkerService, _ logger: Logger) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await StopSignals.each(logger: logger) { count in
                    switch count {
                    case 1: service.drain()
                    case 2: service.cancel()
                    default:
                        // Jobs that ignore cancellation: their lease runs out, and another worker
                        // takes them.
                        logger.error("stopped with jobs still running")
                        Foundation.exit(1)
                    }
                }
            }
            await service.run()
            group.cancelAll()
        }
    }
}
