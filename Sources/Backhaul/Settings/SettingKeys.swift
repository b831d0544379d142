import HTTP
import Health
import JobModel
import Logging
import Postgres
import Redis

extension SettingKey {
    /// Every setting, in the order of the documents.
    static let all: [SettingKey] =
        redis + database + worker + processes + effects + retention + limits + kept + scheduler
        + http
        + payments + health + log

    private static let mebibyte = 1_048_576

    private static let redis: [SettingKey] = [
        SettingKey(
            "redis.url", \.redis.url, .redisURL, flag: "--redis", wellKnown: "REDIS_URL",
            meaning: "The Redis server that holds the queues."),
        SettingKey(
            "redis.key_prefix", \.redis.keyPrefix, .text(maximumBytes: 100),
            meaning: "Put before every key; the same text as Celery's global_keyprefix."),
        SettingKey(
            "redis.connect_timeout_seconds", \.redis.connectTimeout, .seconds(0.1...300),
            meaning: "How long one attempt to connect to Redis may take."),
        SettingKey(
            "redis.command_timeout_seconds", \.redis.commandTimeout, .seconds(0.1...300),
            meaning: "How long Redis may take to answer a command before the connection is dropped."
        ),
    ]

    private static let database: [SettingKey] = [
        SettingKey(
            "database.url", \.database.url, .optional(.postgresURL), flag: "--database",
            wellKnown: "DATABASE_URL",
            meaning: "The PostgreSQL database; worker and migrate need it."),
        SettingKey(
            "database.pool_size", \.database.poolSize, .wholeNumber(1...256, unit: "connections"),
            meaning: "The most connections one process opens to PostgreSQL."),
        SettingKey(
            "database.connect_timeout_seconds", \.database.connectTimeout, .seconds(0.1...300),
            meaning: "How long one attempt to connect to PostgreSQL may take."),
        SettingKey(
            "database.statement_timeout_seconds", \.database.statementTimeout,
            .seconds(0.1...3600),
            meaning: "How long one SQL statement may run before the server cancels it."),
    ]

    private static let worker: [SettingKey] = [
        SettingKey(
            "worker.queues", \.worker.queues, .queueNames, flag: "--queues",
            meaning: "The queues a worker serves, in turn; priority counts before the queue."),
        SettingKey(
            "worker.concurrency", \.worker.concurrency, .wholeNumber(1...4096, unit: "jobs"),
            flag: "--concurrency",
            meaning: "The most jobs one worker runs at the same time."),
        SettingKey(
            "worker.name", \.worker.name, .nodeName, flag: "--name",
            meaning:
                "The name for Celery's tools; %h is the host, %n and %d its parts, %i the process number."
        ),
        SettingKey(
            "worker.prefetch", \.worker.prefetch, .wholeNumber(0...10_000, unit: "messages"),
            meaning: "Messages a worker holds beyond those it runs, even when jobs take long."),
        SettingKey(
            "worker.autoscale_max", \.worker.autoscaleMaximum,
            .wholeNumber(0...4096, unit: "jobs"),
            meaning:
                "The most jobs at the same time when that follows the load; 0 when it does not."
        ),
        SettingKey(
            "worker.autoscale_min", \.worker.autoscaleMinimum,
            .wholeNumber(1...4096, unit: "jobs"),
            meaning: "The fewest jobs at the same time that an idle worker with autoscale allows."
        ),
        SettingKey(
            "worker.remote_control", \.worker.remoteControl, .truth,
            meaning: "Whether a worker obeys celery inspect and celery control."),
        SettingKey(
            "worker.batch_size", \.worker.batchSize, .wholeNumber(1...128, unit: "messages"),
            meaning: "The most messages taken from Redis in one round trip."),
        SettingKey(
            "worker.lease_seconds", \.worker.lease, .seconds(0.2...3600),
            meaning: "How long a silent worker keeps its jobs before another one takes them over."),
        SettingKey(
            "worker.lease_renewal_seconds", \.worker.leaseRenewal, .seconds(0.1...1800),
            meaning: "How often a worker renews its lease; at most half of worker.lease_seconds."),
        SettingKey(
            "worker.maximum_deaths", \.worker.maximumDeaths,
            .wholeNumber(2...100, unit: "deaths"),
            meaning: "How many workers may die holding a message before it goes to quarantine."),
        SettingKey(
            "worker.hard_limit_margin_seconds", \.worker.hardLimitMargin, .seconds(0.1...86_400),
            meaning:
                "How long after its time limit a job that ignores it is given up, and its worker recycled."
        ),
        SettingKey(
            "worker.visibility_timeout_seconds", \.worker.visibilityTimeout,
            .seconds(1...31_536_000),
            meaning:
                "How long a message reserved by a Celery worker stays with it; same as Celery's own."
        ),
        SettingKey(
            "worker.grace_seconds", \.worker.grace, .seconds(0...86_400),
            meaning: "How long running jobs may go on after SIGTERM before they are given back."),
        SettingKey(
            "worker.wait_seconds", \.worker.wait, .seconds(0.1...60),
            meaning: "How long an idle worker waits in one blocking call for new work."),
        SettingKey(
            "worker.events", \.worker.events, .truth,
            meaning:
                "Whether Celery's monitors are told of each job from the start; they can ask for it later."
        ),
        SettingKey(
            "worker.heartbeats", \.worker.heartbeats, .truth,
            meaning: "Whether Celery's monitors are told every 2 s that the worker is there."),
        SettingKey(
            "worker.start_anyway", \.worker.startsAnyway, .truth,
            meaning: "Whether to start, with a warning, on a Redis that would lose jobs."),
        SettingKey(
            "worker.stall_seconds", \.worker.stall, .seconds(0...86_400),
            meaning:
                "How long a worker may fetch nothing while Redis answers before it is restarted; 0 never."
        ),
        SettingKey(
            "worker.drills", \.worker.drills, .truth,
            meaning:
                "Whether drill.* jobs run, which crash, hang or fill a worker; for exercises only."
        ),
    ]

    private static let effects: [SettingKey] = [
        SettingKey(
            "effects.keep_seconds", \.effects.keep, .seconds(3600...315_360_000),
            meaning: "How long a repeat of a job that took effect is recognised in PostgreSQL.")
    ]

    private static let retention: [SettingKey] = [
        SettingKey(
            "retention.ticks_days", \.retention.ticksDays, .wholeNumber(1...3650, unit: "days"),
            meaning: "How long it is kept when each schedule entry fired."),
        SettingKey(
            "retention.webhook_attempts_days", \.retention.webhookAttemptsDays,
            .wholeNumber(1...3650, unit: "days"),
            meaning: "How long the log of calls to webhook endpoints is kept."),
        SettingKey(
            "retention.events_days", \.retention.eventsDays, .wholeNumber(1...3650, unit: "days"),
            meaning:
                "How long events that were fanned out, and their ended deliveries, are kept."),
        SettingKey(
            "retention.inbox_days", \.retention.inboxDays, .wholeNumber(4...3650, unit: "days"),
            meaning:
                "How long the ids of received messages are kept; beyond that a repeat is new."),
        SettingKey(
            "retention.dedup_days", \.retention.dedupDays, .wholeNumber(1...3650, unit: "days"),
            meaning: "How long the dedup keys of the outbox are kept; beyond that a key is new."),
        SettingKey(
            "retention.parked_days", \.retention.parkedDays, .wholeNumber(1...3650, unit: "days"),
            meaning: "How long outbox rows that could not be pushed wait for an operator."),
    ]

    private static let processes: [SettingKey] = [
        SettingKey(
            "worker.processes", \.worker.processes, .wholeNumber(1...64, unit: "processes"),
            flag: "--processes",
            meaning: "Worker processes to run; with more than 1 a supervisor keeps them."),
        SettingKey(
            "worker.recycle_after_jobs", \.worker.recycleAfterJobs,
            .wholeNumber(0...1_000_000_000, unit: "jobs"),
            meaning: "After how many jobs a worker process is replaced by a fresh one; 0 for never."
        ),
        SettingKey(
            "worker.recycle_at_bytes", \.worker.recycleAtBytes,
            .wholeNumber(0...(1_048_576 * mebibyte), unit: "bytes"),
            meaning:
                "At how much resident memory a worker process is replaced by a fresh one; 0 for never."
        ),
        SettingKey(
            "supervisor.stop_timeout_seconds", \.supervisor.stopTimeout, .seconds(1...90_000),
            meaning: "How long a supervised process may take to stop before it is killed."),
    ]

    private static let limits: [SettingKey] = [
        SettingKey(
            "limits.envelope_bytes", \.limits.envelopeBytes,
            .wholeNumber(1024...(512 * mebibyte), unit: "bytes"),
            meaning: "The largest message that is read; larger ones go to quarantine."),
        SettingKey(
            "limits.body_bytes", \.limits.bodyBytes,
            .wholeNumber(1024...(512 * mebibyte), unit: "bytes"),
            meaning: "The largest message body after decompression."),
        SettingKey(
            "limits.nesting_depth", \.limits.depth, .wholeNumber(8...512, unit: "levels"),
            meaning: "How deep arrays and objects of a message may be nested."),
    ]

    private static let kept: [SettingKey] = [
        SettingKey(
            "results.enabled", \.results.isEnabled, .truth,
            meaning: "Whether results are written for AsyncResult.get()."),
        SettingKey(
            "results.expires_seconds", \.results.expires, .seconds(0...31_536_000),
            meaning: "How long a result is kept; 0 keeps it for ever."),
        SettingKey(
            "results.failure_expires_seconds", \.results.failureExpires,
            .optional(.seconds(0...31_536_000)),
            meaning: "How long the result of a failure is kept; not set, as long as others."),
        SettingKey(
            "results.extended", \.results.areExtended, .truth,
            meaning: "Whether results also tell name, arguments, worker, retries and queue."),
        SettingKey(
            "results.track_started", \.results.trackStarted, .truth,
            meaning: "Whether it is written that a job has begun; one more write for each job."),
        SettingKey(
            "results.errors_even_if_ignored", \.results.storesIgnoredErrors, .truth,
            meaning: "Whether failures are written even of jobs whose results nobody wants."),
        SettingKey(
            "dead.maximum_entries", \.dead.maximumEntries,
            .wholeNumber(1...10_000_000, unit: "entries"),
            meaning: "The most dead letters kept; beyond it the oldest are dropped."),
        SettingKey(
            "dead.maximum_age_seconds", \.dead.maximumAge, .seconds(0...315_360_000),
            meaning: "How long a dead letter is kept; 0 keeps it for ever."),
        SettingKey(
            "quarantine.maximum_entries", \.quarantine.maximumEntries,
            .wholeNumber(1...10_000_000, unit: "entries"),
            meaning: "The most unreadable messages kept; beyond it the oldest are dropped."),
        SettingKey(
            "quarantine.maximum_age_seconds", \.quarantine.maximumAge, .seconds(0...315_360_000),
            meaning: "How long a message stays in quarantine; 0 keeps it for ever."),
    ]

    private static let scheduler: [SettingKey] = [
        SettingKey(
            "scheduler.file", \.scheduler.file, .path, flag: "--schedule",
            meaning: "The file with the schedule entries."),
        SettingKey(
            "scheduler.relay", \.scheduler.relay, .truth,
            meaning:
                "Whether the scheduler relays the outbox when database.url is set; see `backhaul relay`."
        ),
        SettingKey(
            "scheduler.refresh_seconds", \.scheduler.refresh, .seconds(0.1...3600),
            meaning: "How often a scheduler looks for entries changed by backhaul schedule."),
        SettingKey(
            "scheduler.history", \.scheduler.keepsHistory, .truth,
            meaning: "Whether what became of each tick is kept in PostgreSQL."),
    ]

    private static let http: [SettingKey] = [
        SettingKey(
            "http.allow", \.http.allow, .addressRanges,
            meaning: "Private address ranges that webhooks may reach all the same."),
        SettingKey(
            "http.connect_timeout_seconds", \.http.connectTimeout, .seconds(0.1...300),
            meaning: "How long one outgoing connection may take to open."),
        SettingKey(
            "http.total_timeout_seconds", \.http.totalTimeout, .seconds(0.1...3600),
            meaning: "How long one outgoing request may take from start to last byte."),
        SettingKey(
            "http.response_bytes", \.http.responseBytes,
            .wholeNumber(0...(64 * mebibyte), unit: "bytes"),
            meaning: "The most of a response body that is read; longer ones are cut off."),
    ]

    private static let payments: [SettingKey] = [
        SettingKey(
            "payments.gateway_url", \.payments.gatewayURL, .optional(.webAddress),
            meaning: "The address of the payment gateway; without it payment jobs fail at once."),
        SettingKey(
            "payments.api_key", \.payments.apiKey, .optional(.secret),
            meaning: "The key sent to the payment gateway."),
    ]

    private static let health: [SettingKey] = [
        SettingKey(
            "health.listen", \.health.listen, .optional(.healthAddress),
            meaning: "Where probes and metrics are answered; not set, no port is opened.")
    ]

    private static let log: [SettingKey] = [
        SettingKey(
            "log.level", \.log.level, .choice, flag: "--log-level",
            meaning: "The least severe lines that are written."),
        SettingKey(
            "log.format", \.log.format, .choice, flag: "--log-format",
            meaning: "The shape of a log line: text for people, json for collectors."),
    ]
}

extension SettingForm where Value == [QueueName] {
    static var queueNames: Self {
        .list(of: "queue names", count: 1...128, show: \.text) { text throws(SettingRefusal) in
            do { return try QueueName(text) } catch {
                throw SettingRefusal("holds a name that cannot be used: \(error)")
            }
        }
    }
}

extension SettingForm where Value == String {
    static var nodeName: Self {
        let accepts = "name@host of at most \(NodeName.maximumBytes) bytes, without spaces"
        return SettingForm(accepts: accepts, show: \.self) { raw throws(SettingRefusal) in
            let text = try raw.onlyText(accepts)
            guard NodeName.isUsable(text) else { throw SettingRefusal("must be \(accepts)") }
            return text
        }
    }
}

extension SettingForm where Value == [AddressRange] {
    static var addressRanges: Self {
        .list(of: "address ranges such as 10.0.0.0/8", count: 0...64, show: \.text) {
            text throws(SettingRefusal) in
            do throws(CIDR.ParseError) { return try AddressRange(text) } catch {
                throw SettingRefusal("holds “\(text)”: \(error.problem)")
            }
        }
    }
}

extension SettingForm where Value == HealthAddress {
    static var healthAddress: Self {
        let accepts = "an address and a port such as 127.0.0.1:9464"
        return SettingForm(accepts: accepts, show: \.description) {
            raw throws(SettingRefusal) in
            let text = try raw.onlyText(accepts)
            do throws(HealthAddress.ParseError) { return try HealthAddress(text) } catch {
                throw SettingRefusal(error.problem)
            }
        }
    }
}

extension SettingForm where Value == Secret {
    static var redisURL: Self {
        .secretURL(
            """
            redis://[[user]:password@]host[:port][/database], unix://path[?db=database] or \
            redis-sentinel://[[user]:password@]host,host[/database]?master=name
            """
        ) {
            text throws(SettingRefusal) in
            // The message never repeats the address.
            do throws(RedisError) { _ = try RedisAddress(url: text) } catch {
                throw SettingRefusal(error.message)
            }
        }
    }

    static var postgresURL: Self {
        .secretURL("postgresql://[user:password@]host[:port]/database") {
            text throws(SettingRefusal) in
            do throws(PostgresError) { try PostgresOptions(url: text).validate() } catch {
                throw SettingRefusal("cannot be used: \(error.message)")
            }
        }
    }
}
