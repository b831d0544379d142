import Health
import JobModel
import Logging
import Redis
import Telemetry

/// Everything that shows and judges a worker's health, on connections of its own.
///
/// The worker's connections are what is judged, so none of them is used here.
struct HealthService: Sendable {
    private let server: HealthServer?
    private let watchdog: Watchdog
    private let vitals: WorkerVitals
    private let servers: AskedServers

    /// Puts health together.
    ///
    /// `child` is the number of a supervisor's child, from 1, and moves the port by as much; 0 for a
    /// process on its own. `onStall` must end the process in order, so that another one replaces it.
    init(
        _ settings: Settings, database: Secret, vitals: WorkerVitals, registry: MetricRegistry,
        child: Int = 0, logger: Logger, onStall: @escaping @Sendable (String) -> Void
    ) throws {
        let address = try RedisAddress(url: settings.redis.url.revealed)
        let servers = try AskedServers(settings, database: database)
        self.servers = servers
        self.vitals = vitals
        let limits = WorkerHealth.Limits(
            wait: settings.worker.wait, lease: settings.worker.lease)
        let pages = HealthPages(
            checks: WorkerHealth(vitals, limits: limits).checks,
            metrics: { registry.snapshot() }, version: VersionCommand.version, time: SystemTime())
        server = settings.health.listen.flatMap { $0.offset(by: child) }.map { listen in
            HealthServer(
                address: listen, pages: pages, dependencies: servers.dependencies, logger: logger)
        }
        watchdog = Watchdog(
            limit: settings.worker.stall, fetchAge: { vitals.fetch.age },
            isSuspended: { vitals.isDraining || vitals.isQuiet },
            probe: { await Self.answersAnew(address) }, logger: logger, onStall: onStall)
    }

    /// The port that answers probes now; nil while there is none.
    var port: Int? { server?.port }

    /// Serves and watches until cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await vitals.keepTicking() }
            group.addTask { await watchdog.run() }
            if let server { group.addTask { await server.run() } }
        }
        await servers.close()
    }

    /// Whether Redis answers somebody it does not know yet.
    private static func answersAnew(_ address: RedisAddress) async -> Bool {
        var options = AskedServers.redisOptions
        options.connectTimeout = Watchdog.probeLimit
        options.commandTimeout = Watchdog.probeLimit
        let connection = RedisConnection(address: address, options: options, logger: .quiet)
        let answer = try? await connection.send(RedisCommand("PING"))
        await connection.close()
        return answer != nil
    }
}
