import Health
import JobModel
import Logging
import Supervisor
import Telemetry

/// The probes of a supervisor, on the port given; its processes answer on the ports that follow.
///
/// It is as ready as its processes are.
struct SupervisorHealth: Sendable {
    private let server: HealthServer
    private let servers: AskedServers

    /// Puts the probes together; `reports` says what each process said last.
    init(
        listen: HealthAddress, processes: Int, servers: AskedServers, logger: Logger,
        reports: @escaping @Sendable () -> [Int: ProcessReport]
    ) {
        self.servers = servers
        let registry = MetricRegistry()
        ProcessFigures.register(in: registry)
        let ready = { @Sendable in
            (1...processes).map { number in
                let report = reports()[number]
                return HealthCheck(
                    "process \(number)", ok: report?.isReady ?? false,
                    why: report?.phase ?? "not heard of yet")
            }
        }
        server = HealthServer(
            address: listen,
            pages: HealthPages(
                checks: HealthChecks(
                    started: ready, ready: ready,
                    live: { [HealthCheck("probes", ok: true, why: "this answer")] }),
                metrics: { registry.snapshot() }, version: VersionCommand.version,
                time: SystemTime()),
            dependencies: servers.dependencies, logger: logger)
    }

    /// Serves until cancelled.
    func run() async {
        await server.run()
        await servers.close()
    }
}
