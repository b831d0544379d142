import Broker
import Enqueue
import Foundation
import HTTP
import JobModel
import Jobs
import Logging
import Postgres
import Redis
import Worker

/// Puts the modules together from settings: the only place that knows them all.
struct Composition {
    let settings: Settings
    let logger: Logger

    init(_ loaded: LoadedSettings) {
        settings = loaded.settings
        let log = settings.log
        logger = Logger(label: "backhaul") { label in
            LineLogHandler(
                label: label, settings: log, output: .standardError, time: SystemTime())
        }
    }

    /// The queues.
    func broker() throws -> RedisBroker {
        do throws(BrokerError) {
            return try RedisBroker(
                url: settings.redis.url.revealed, options: brokerOptions, logger: logger)
        } catch {
            throw CommandFailure(
                "the Redis address cannot be used: \(error)",
                advice: "set REDIS_URL=redis://host:port/database or give --redis")
        }
    }

    /// The database.
    func pool(at url: Secret) -> PostgresPool {
        var options = PostgresOptions(url: url.revealed)
        options.poolSize = settings.database.poolSize
        options.connectTimeout = settings.database.connectTimeout
        options.statementTimeout = settings.database.statementTimeout
        return PostgresPool(options: options, logger: logger)
    }

    /// Outgoing HTTP, guarded.
    func sender() -> HTTPSender {
        HTTPSender(
            policy: AddressPolicy(allowing: settings.http.allow.map(\.block)), limits: httpLimits, logger: logger)
    }

    /// What one worker process is told.
    var workerOptions: WorkerOptions {
        var options = WorkerOptions(queues: settings.worker.queues)
        options.concurrency = settings.worker.concurrency
        options.batchSize = settings.worker.batchSize
        options.waitLimit = settings.worker.wait
        options.leaseRenewal = settings.worker.leaseRenewal
        options.grace = settings.worker.grace
        options.limits = settings.limits
        options.storesResults = settings.results.isEnabled
        return options
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
        var options = BrokerOptions(keyPrefix: settings.redis.keyPrefix)
        options.lease = settings.worker.lease
        options.visibilityTimeout = settings.worker.visibilityTimeout
        options.resultExpires = settings.results.expires
        options.maximumDead = settings.dead.maximumEntries
        options.maximumQuarantined = settings.quarantine.maximumEntries
        options.maximumMessageBytes = settings.limits.envelopeBytes
        options.redis.connectTimeout = settings.redis.connectTimeout
        options.redis.commandTimeout = settings.redis.commandTimeout
        options.origin = "backhaul@\(ProcessInfo.processInfo.hostName)"
        return options
    }

    private var httpLimits: HTTPLimits {
        var limits = HTTPLimits()
        limits.connectTimeout = settings.http.connectTimeout
        limits.totalTimeout = settings.http.totalTimeout
        limits.responseBytes = settings.http.responseBytes
        return limits
    }
}
