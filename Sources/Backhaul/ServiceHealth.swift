import Health
import JobModel
import Logging
import ProcessControl
import Telemetry

/// Probes and metrics of a scheduler or a relay, on the port of `health.listen`.
struct ServiceHealth: Sendable {
    private let server: HealthServer?
    private let servers: AskedServers

    /// Puts health together; without `database` only Redis is asked.
    init(
        _ settings: Settings, database: Secret?, registry: MetricRegistry, checks: HealthChecks,
        logger: Logger
    ) throws {
        ProcessFigures.register(in: registry)
        let servers = try AskedServers(settings, database: database)
        self.servers = servers
        server = settings.health.listen.map { listen in
            HealthServer(
                address: listen,
                pages: HealthPages(
                    checks: checks, metrics: { registry.snapshot() },
                    version: VersionCommand.version, time: SystemTime()),
                dependencies: servers.dependencies, logger: logger)
        }
    }

    /// The port that answers probes now; nil while there is none.
    var port: Int? { server?.port }

    /// Serves until cancelled, if there is a port to serve on.
    func run() async {
        await server?.run()
        await servers.close()
    }
}

extension HealthChecks {
    /// Nothing to look at.
    static var none: HealthChecks { HealthChecks(started: { [] }, ready: { [] }, live: { [] }) }

    /// The checks of both.
    static func + (left: HealthChecks, right: HealthChecks) -> HealthChecks {
        HealthChecks(
            started: { left.started() + right.started() }, ready: { left.ready() + right.ready() },
            live: { left.live() + right.live() })
    }
}
