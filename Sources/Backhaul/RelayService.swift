import Broker
import Health
import JobModel
import Logging
import Postgres
import ProcessControl
import Relay
import Supervisor
import Telemetry

/// The outbox relay of a process, on database connections of its own.
struct RelayService: Sendable {
    /// Without a successful round for this long it does not do its work.
    static let roundAgeLimit = Duration.seconds(30)
    /// Without going round at all, well or not, for this long its loop is stuck: one round may wait for
    /// both servers' timeouts.
    static let loopAgeLimit = Duration.seconds(120)

    private let relay: OutboxRelay
    private let pool: PostgresPool
    private let metrics: RelayMetrics

    init(
        _ composition: Composition, database: Secret, broker: RedisBroker,
        registry: MetricRegistry
    ) {
        var options = RelayOptions()
        options.limits = composition.settings.limits
        var connection = composition.settings.database.options(url: database)
        connection.poolSize = options.lanes + 1
        connection.applicationName = "backhaul-relay"
        // The relay itself says that a server is away, once.
        pool = PostgresPool(options: connection, logger: .quiet)
        metrics = RelayMetrics(registry: registry)
        relay = OutboxRelay(
            pool: pool, broker: broker,
            encoder: RowEncoder(queues: BuiltInJobs.queues, limits: options.limits),
            options: options, metrics: metrics, logger: composition.logger)
    }

    /// The relay within a scheduler; nil where there is no database, or it is switched off.
    init?(beside composition: Composition, broker: RedisBroker, registry: MetricRegistry) {
        let settings = composition.settings
        guard settings.scheduler.relay, let database = settings.database.url else { return nil }
        self.init(composition, database: database, broker: broker, registry: registry)
    }

    /// Runs until the task is cancelled, then frees the connections.
    func run() async {
        await relay.run()
        await pool.shutdown()
    }

    /// What probes look at.
    var checks: HealthChecks {
        let metrics = metrics
        let ready = { @Sendable in
            [
                Self.check(
                    "outbox", metrics.rounds.count > 0 ? metrics.rounds.age : nil,
                    Self.roundAgeLimit)
            ]
        }
        return HealthChecks(
            started: ready, ready: ready,
            live: {
                [Self.check("relay", metrics.loop.age, Self.loopAgeLimit)]
            })
    }

    /// What the process says of itself.
    var report: ProcessReport {
        var report = ProcessReport()
        report.phase = "running"
        report.isReady = metrics.rounds.count > 0
        report.isProgressing = (metrics.loop.age ?? .zero) < Self.loopAgeLimit
        report.status = "last round \(metrics.rounds.count > 0 ? "done" : "not yet")"
        return report
    }

    private static func check(_ name: String, _ age: Duration?, _ limit: Duration) -> HealthCheck {
        guard let age else {
            return HealthCheck(name, ok: false, why: "no round has succeeded yet")
        }
        let seconds = age.components.seconds
        return HealthCheck(
            name, ok: age <= limit,
            why: age <= limit
                ? "\(seconds) s ago"
                : "nothing for \(seconds) s; the limit is \(limit.components.seconds) s")
    }
}
