import Health
import JobModel
import Logging

/// Everything that can be set, as one value: made once at start by ``SettingsLoader``, then read.
///
/// The initial values here *are* the defaults; `SettingKey.all` says how each is named, checked and
/// described, and `config/default.yaml` and `docs/configuration.md` are compared with both.
struct Settings: Sendable, Equatable {
    var redis = RedisSettings()
    var database = DatabaseSettings()
    var worker = WorkerSettings()
    var effects = EffectsSettings()
    var retention = RetentionSettings()
    var supervisor = SupervisorSettings()
    var limits = WireLimits()
    var results = ResultsSettings()
    var dead = KeptSettings(maximumAge: .seconds(90 * 86_400))
    var quarantine = KeptSettings(maximumAge: .seconds(30 * 86_400))
    var scheduler = SchedulerSettings()
    var http = HTTPSettings()
    var payments = PaymentsSettings()
    var health = HealthSettings()
    var log = LogSettings()
}

/// Where Redis is and how long to wait for it.
struct RedisSettings: Sendable, Equatable {
    var url = Secret.url("redis://127.0.0.1:6379/0")
    /// Put before every key, as Celery's `global_keyprefix`.
    var keyPrefix = ""
    var connectTimeout: Duration = .seconds(5)
    var commandTimeout: Duration = .seconds(10)
}

/// Where PostgreSQL is and how much of it may be used.
struct DatabaseSettings: Sendable, Equatable {
    /// `nil` when not set; commands that need it ask `LoadedSettings.databaseURL()`.
    var url: Secret?
    var poolSize = 8
    var connectTimeout: Duration = .seconds(5)
    var statementTimeout: Duration = .seconds(30)
}

/// What a worker serves and how it holds what it took.
struct WorkerSettings: Sendable, Equatable {
    /// Served in turn, within one priority step.
    var queues: [QueueName] = ["celery", "provisioning", "payments", "sla", "webhooks"]
    var concurrency = 64
    /// The name by which Celery's tools know it, with the marks that ``NodeName`` replaces.
    var name = "backhaul@%h"
    /// Messages held beyond those that run.
    var prefetch = 0
    /// The most lanes when they follow the load; zero when they do not.
    var autoscaleMaximum = 0
    var autoscaleMinimum = 1
    /// Whether commands of Celery's tools are heard.
    var remoteControl = true
    var batchSize = 64
    var lease: Duration = .seconds(5)
    var leaseRenewal: Duration = .milliseconds(1500)
    var maximumDeaths = 3
    var hardLimitMargin: Duration = .seconds(30)
    var visibilityTimeout: Duration = .seconds(3600)
    var grace: Duration = .seconds(25)
    var wait: Duration = .seconds(5)
    var processes = 1
    var recycleAfterJobs = 0
    var recycleAtBytes = 0
    /// Whether Celery's monitors are told of every job from the start.
    var events = false
    /// Whether they are told that the worker is there.
    var heartbeats = true
    /// Whether to start on a Redis that would lose jobs.
    var startsAnyway = false
    /// How long nothing may be fetched while Redis answers; zero switches the watchdog off.
    var stall: Duration = .seconds(30)
    /// Whether jobs that harm the worker on purpose may be run.
    var drills = false
}

/// How long it is known that a job took effect.
struct EffectsSettings: Sendable, Equatable {
    var keep: Duration = .seconds(14 * 86_400)
}

/// For how many days history is kept, by kind.
struct RetentionSettings: Sendable, Equatable {
    var ticksDays = 90
    var webhookAttemptsDays = 30
    var eventsDays = 90
    var inboxDays = 30
    var dedupDays = 7
    var parkedDays = 90
}

/// How several worker processes are kept.
struct SupervisorSettings: Sendable, Equatable {
    var stopTimeout: Duration = .seconds(40)
}

/// What is kept of finished jobs for whoever waits on them.
struct ResultsSettings: Sendable, Equatable {
    var isEnabled = true
    var expires: Duration = .seconds(86_400)
    /// As long as other results when `nil`.
    var failureExpires: Duration?
    var areExtended = false
    var trackStarted = false
    /// Whether failures are written even where nobody wants the result.
    var storesIgnoredErrors = false
}

/// How many messages are kept before the oldest make room, and for how long.
struct KeptSettings: Sendable, Equatable {
    var maximumEntries = 100_000
    /// Zero is for ever.
    var maximumAge: Duration
}

/// What the scheduler fires.
struct SchedulerSettings: Sendable, Equatable {
    var file = "config/schedule.yaml"
    /// Whether the scheduler relays the outbox, where there is a database.
    var relay = true
    /// How often stored entries are looked at.
    var refresh: Duration = .seconds(5)
    /// Whether PostgreSQL keeps what became of each tick.
    var keepsHistory = true
}

/// What outgoing HTTP requests may reach, and their bounds.
struct HTTPSettings: Sendable, Equatable {
    /// Private address ranges that may be reached all the same, in CIDR notation.
    var allow: [AddressRange] = []
    var connectTimeout: Duration = .seconds(5)
    var totalTimeout: Duration = .seconds(15)
    var responseBytes = 65_536
}

/// The payment gateway.
struct PaymentsSettings: Sendable, Equatable {
    var gatewayURL: String?
    var apiKey: Secret?
}

/// Where probes and scrapes are answered.
struct HealthSettings: Sendable, Equatable {
    /// `nil` when not set: no port is opened.
    var listen: HealthAddress?
}

/// What is written to standard error.
struct LogSettings: Sendable, Equatable {
    var level: Logger.Level = .info
    var format: LogFormat = .text
}

/// The shape of a log line.
enum LogFormat: String, Sendable, CaseIterable {
    /// One calm line for people.
    case text
    /// One JSON object a line, for collectors.
    case json
}
