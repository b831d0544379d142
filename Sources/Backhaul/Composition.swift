import Broker
import Enqueue
import Foundation
import HTTP
import JobModel
import Jobs
import Logging
import Postgres
import Store

/// Puts the modules together from settings: the only place that knows them all.
struct Composition {
    let settings: Settings
    let logger: Logger
    private let weakening: Weakening

    /// `process` is this one's number among those of its supervisor, for its log lines.
    init(_ loaded: LoadedSettings, process: Int? = nil) {
        settings = loaded.settings
        weakening = Weakening(
            environment: ProcessInfo.processInfo.environment, settings: loaded.settings)
        let log = settings.log
        var logger = Logger(label: "backhaul") { label in
            LineLogHandler(
                label: label, settings: log, output: .standardError, time: SystemTime())
        }
        if let process { logger[metadataKey: LogKey.process] = "\(process)" }
        self.logger = logger
    }

    /// The queues; `quietly` for processes that report outages themselves, in one line.
    func broker(quietly: Bool = false) throws -> RedisBroker {
        do throws(BrokerError) {
            return try RedisBroker(
                url: settings.redis.url.revealed, options: brokerOptions,
                logger: quietly ? .quiet : logger)
        } catch {
            throw CommandFailure(
                "the Redis address cannot be used: \(error)",
                advice: "set REDIS_URL=redis://host:port/database or give --redis")
        }
    }

    /// The database.
    func pool(at url: Secret) -> PostgresPool {
        PostgresPool(options: settings.database.options(url: url), logger: logger)
    }

    /// Outgoing HTTP, guarded; `answers` is the largest answer taken.
    func sender(answers: Int? = nil) -> HTTPSender {
        var limits = settings.http.limits
        limits.responseBytes = answers ?? limits.responseBytes
        return HTTPSender(policy: settings.http.policy, limits: limits, logger: logger)
    }

    /// What the jobs need, on these connections.
    func services(
        pool: PostgresPool, enqueuer: Enqueuer, webhookSender: HTTPSender,
        gatewaySender: HTTPSender
    ) -> JobServices {
        let webhooks = WebhookQueue(enqueuer)
        return JobServices(
            pool: pool,
            publisher: EventPublisher(events: EventRepository(), fanOut: webhooks.fanOut),
            gateway: PaymentGateway(settings: gatewaySettings, send: gatewaySender.send),
            sender: webhookSender, webhooks: webhooks, keeps: settings.keeps)
    }

    /// The jobs of a worker, with the drills where `worker.drills` asks for them.
    func registry(_ services: JobServices) -> JobRegistry {
        guard settings.worker.drills else { return BuiltInJobs.registry(services) }
        let process = ProcessInfo.processInfo
        return BuiltInJobs.registry(
            services,
            drills: DrillGround(
                pool: services.pool,
                worker: "\(process.hostName):\(process.processIdentifier)",
                fencing: weakening.effectFencing))
    }

    /// What a worker asks about repeated deliveries.
    func effectLedger(pool: PostgresPool) -> (any EffectLedger)? {
        weakening.effectFencing == .on ? PostgresEffectLedger(pool: pool) : nil
    }

    private var gatewaySettings: GatewaySettings? {
        guard let url = settings.payments.gatewayURL, let key = settings.payments.apiKey else {
            return nil
        }
        return GatewaySettings(
            baseURL: url, key: GatewayKey(key.revealed), timeout: settings.http.totalTimeout)
    }

    /// What this process says of itself.
    func presence(startedAt now: Date) -> WorkerPresence {
        let host = ProcessInfo.processInfo.hostName
        let processID = ProcessInfo.processInfo.processIdentifier
        let worker = WorkerID(
            host: host, processID: processID, random: UInt32.random(in: .min ... .max))
        return WorkerPresence(
            worker: worker, host: host, processID: processID, queues: settings.worker.queues,
            concurrency: settings.worker.concurrency, startedAt: now,
            version: VersionCommand.version)
    }

    private var brokerOptions: BrokerOptions {
        var options = settings.brokerOptions
        options.weakened = weakening.guards
        options.canvas = BuiltInJobs.canvasRules
        options.origin = "backhaul@\(ProcessInfo.processInfo.hostName)"
        return options
    }
}
