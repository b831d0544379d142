import ArgumentParser
import Broker
import Enqueue
import Foundation
import HTTP
import JobModel
import Jobs
import Logging
import Postgres
import ProcessControl
import Supervisor
import Worker

/// `backhaul worker`: runs jobs until it is told to stop.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run jobs from queues, as `celery worker` would.",
        discussion: """
            TERM or INT: take nothing more, let running jobs finish (worker.grace_seconds),
            then cancel them and put their messages back. A second one cancels at once.
            HUP: drain and start anew, with the settings as they are then; of several
            processes one after the other. TSTP or USR1: take nothing more, and stay.
            What a killed worker held is put back by the others within worker.lease_seconds.

            Examples:
              backhaul worker
              backhaul worker --queues provisioning,payments --concurrency 64
              backhaul worker --processes 4 --name mail@%h
              backhaul worker --config /etc/backhaul.yaml --log-format json
            """)

    @OptionGroup var shared: SharedOptions
    @OptionGroup var worker: WorkerFlags
    @OptionGroup var start: StartFlags

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let place = try ProcessPlace(environment: environment)
        let loaded = try shared.load(adding: worker.flagValues + start.flagValues)
        let url: Secret
        do { url = try loaded.databaseURL() } catch { throw error.exit() }
        let composition = Composition(loaded, process: place.number)
        if loaded.settings.worker.processes > 1, !place.isSupervised {
            let code = try await supervise(composition, databaseURL: url, environment)
            throw ExitCode(code)
        }
        switch try await work(loaded, composition, databaseURL: url, place, environment) {
        case .over: break
        case .refused: throw ExitCode(SettingsError.exitCode)
        case .again:
            if place.isSupervised { throw ExitCode(ProcessPlace.recycleCode) }
            let image = ProcessImage.current(environment: environment)
            let failure = image.replaceThisProcess(blocking: ServiceSignals.all)
            throw CommandFailure(
                "\(image.path) cannot be started anew (errno \(failure))",
                advice: "is the file still there?")
        }
    }

    private func supervise(
        _ composition: Composition, databaseURL url: Secret, _ environment: [String: String]
    ) async throws -> Int32 {
        let logger = composition.logger
        // Once here, lest every process be refused in turn; what is away is looked at by each later.
        if let found = try? await Preflight(composition).obstacles(), !found.isEmpty {
            try await Preflight(composition).admit(logger: logger)
        }
        let broker = try composition.broker(quietly: true)
        let code = await SupervisorProcess(
            settings: composition.settings, environment: environment,
            checkSettings: settingsProblem, logger: logger,
            servers: try AskedServers(composition.settings, database: url)
        ) { worker in
            // When this fails, the lease runs out by itself.
            guard let reclaimed = try? await broker.reportDeath(of: WorkerID(text: worker)) else {
                return
            }
            logger.log(reclaimed)
        }.run()
        await broker.close()
        return code
    }

    private func work(
        _ loaded: LoadedSettings, _ composition: Composition, databaseURL url: Secret,
        _ place: ProcessPlace,
        _ environment: [String: String]
    ) async throws -> WorkerProcess.End {
        let logger = composition.logger
        let broker = try composition.broker(quietly: true)
        let pool = composition.pool(at: url)
        let webhookSender = composition.sender()
        let gatewaySender = composition.sender(answers: PaymentGateway.maximumAnswerBytes)
        let registry = composition.registry(
            composition.services(
                pool: pool, enqueuer: Enqueuer(broker: broker, rules: BuiltInJobs.canvasRules),
                webhookSender: webhookSender,
                gatewaySender: gatewaySender))
        let presence = composition.presence(startedAt: SystemTime().now)
        let figures = WorkerFigures(presence, registry)
        var options = composition.settings.workerOptions
        options.nodeName = NodeName.text(
            composition.settings.worker.name, host: presence.host, process: place.number)
        let service = WorkerService(
            broker: broker, registry: registry, presence: presence, options: options,
            effects: composition.effectLedger(pool: pool), metrics: figures.metrics,
            time: SystemTime(), logger: logger, control: ControlFacts(loaded: loaded).ports,
            admission: { await admitted(to: broker, composition, until: $0) },
            onStuck: place.endWhenStuck(environment: environment, logger: logger))
        let health = try HealthService(
            composition.settings, database: url, vitals: figures.vitals,
            registry: figures.registry, child: place.number ?? 0, logger: logger
        ) { service.recycle(because: $0) }
        let process = WorkerProcess(
            worker: service, workerID: presence.worker, place: place,
            settings: composition.settings.worker,
            notice: ProgressNotice(NotifySocket(environment: environment)),
            checkSettings: settingsProblem, logger: logger,
            siblings: [{ await health.run() }])
        announce(presence, registry, logger)
        let end = await process.run {
            await broker.close()
            await webhookSender.shutdown()
            await gatewaySender.shutdown()
            await pool.shutdown()
        }
        logger.notice(
            "worker stopped",
            metadata: Logger.Metadata(
                uniqueKeysWithValues: service.totals.map { ($0.key, "\($0.value)") }))
        return end
    }

    /// Waits for Redis, and says whether a worker may run on it.
    private func admitted(
        to broker: RedisBroker, _ composition: Composition, until isOver: @Sendable () -> Bool
    ) async -> Bool {
        do {
            try await Preflight(composition).admit(logger: composition.logger, until: isOver)
        } catch { return false }
        // Without it only producers with exchanges of their own miss something.
        try? await broker.declare(composition.settings.worker.queues)
        return true
    }

    /// What is wrong with the settings as they are now, if anything.
    private var settingsProblem: @Sendable () -> String? {
        let (shared, flags) = (shared, worker.flagValues + start.flagValues)
        return {
            do {
                _ = try shared.settings(adding: flags).databaseURL()
                return nil
            } catch { return "\(error)" }
        }
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
}
