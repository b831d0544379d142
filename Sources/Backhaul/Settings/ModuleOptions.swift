import Broker
import HTTP
import JobModel
import Jobs
import Postgres
import Redis
import Scheduler
import Supervisor
import Worker

// What the settings mean to each module.

extension RedisSettings {
    /// Times of each connection.
    var options: RedisOptions {
        var options = RedisOptions()
        options.connectTimeout = connectTimeout
        options.commandTimeout = commandTimeout
        return options
    }
}

extension DatabaseSettings {
    /// How a pool reaches PostgreSQL; `url` is what `LoadedSettings.databaseURL()` gave.
    func options(url: Secret) -> PostgresOptions {
        var options = PostgresOptions(url: url.revealed)
        options.poolSize = poolSize
        options.connectTimeout = connectTimeout
        options.statementTimeout = statementTimeout
        return options
    }
}

extension HTTPSettings {
    /// Public addresses and what the operator allows besides.
    var policy: AddressPolicy { AddressPolicy(allowing: allow.map(\.block)) }

    /// Times and sizes of each request.
    var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.connectTimeout = connectTimeout
        limits.totalTimeout = totalTimeout
        limits.responseBytes = responseBytes
        return limits
    }
}

extension Settings {
    /// How long history is kept.
    var keeps: RetentionKeeps {
        var keeps = RetentionKeeps()
        keeps.ticks = .days(retention.ticksDays)
        keeps.webhookAttempts = .days(retention.webhookAttemptsDays)
        keeps.events = .days(retention.eventsDays)
        keeps.inbox = .days(retention.inboxDays)
        keeps.dedup = .days(retention.dedupDays)
        keeps.parked = .days(retention.parkedDays)
        keeps.effects = effects.keep
        return keeps
    }

    /// How the queues are kept.
    var brokerOptions: BrokerOptions {
        var options = BrokerOptions(keyPrefix: redis.keyPrefix)
        options.lease = worker.lease
        options.maximumDeaths = worker.maximumDeaths
        options.visibilityTimeout = worker.visibilityTimeout
        options.storesResults = results.isEnabled
        options.resultExpires = results.expires
        options.failureExpires = results.failureExpires
        options.maximumDead = dead.maximumEntries
        options.maximumQuarantined = quarantine.maximumEntries
        options.maximumDeadAge = dead.maximumAge
        options.maximumQuarantinedAge = quarantine.maximumAge
        options.maximumMessageBytes = limits.envelopeBytes
        options.redis = redis.options
        return options
    }

    /// How a scheduler waits: no longer than until it looks for changed entries.
    var schedulerOptions: SchedulerOptions {
        var options = SchedulerOptions()
        options.longestSleep = min(options.longestSleep, scheduler.refresh)
        return options
    }

    /// How several worker processes are kept.
    var supervisorOptions: SupervisorOptions {
        var options = SupervisorOptions(processes: worker.processes)
        options.stopTimeout = supervisor.stopTimeout
        return options
    }

    /// What one worker process does.
    var workerOptions: WorkerOptions {
        var options = WorkerOptions(queues: worker.queues)
        options.concurrency = worker.concurrency
        options.prefetch = worker.prefetch
        options.hearsCommands = worker.remoteControl
        if worker.autoscaleMaximum > 0 {
            options.autoscale = worker.autoscaleMinimum...worker.autoscaleMaximum
        }
        options.batchSize = worker.batchSize
        options.waitLimit = worker.wait
        options.lease = worker.lease
        options.leaseRenewal = worker.leaseRenewal
        options.maximumDeaths = worker.maximumDeaths
        options.hardLimitMargin = worker.hardLimitMargin
        options.grace = worker.grace
        options.settleLimit = worker.lease
        options.limits = limits
        options.storesResults = results.isEnabled
        options.results.areExtended = results.areExtended
        options.results.trackStarted = results.trackStarted
        options.results.storesIgnoredErrors = results.storesIgnoredErrors
        options.events.sendsHeartbeats = worker.heartbeats
        options.events.tellsOfTasks = worker.events
        return options
    }
}
