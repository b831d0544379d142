import Foundation
import JobModel
import Logging
import ProcessControl
import Supervisor

/// The process above several worker processes.
struct SupervisorProcess {
    let settings: Settings
    let environment: [String: String]
    let checkSettings: @Sendable () -> String?
    let logger: Logger
    /// What `/health` asks.
    let servers: AskedServers
    /// Called with the name of a worker that ended without goodbye.
    let onDeath: @Sendable (String) async -> Void

    /// Runs until all processes have ended; returns the exit code.
    func run() async -> Int32 {
        let (environment, logger, checkSettings) = (environment, logger, checkSettings)
        logger.notice(
            "supervisor started", metadata: [LogKey.count: "\(settings.worker.processes)"])
        let supervisor = Supervisor(
            options: settings.supervisorOptions,
            image: { ProcessPlace.image(of: $0, environment: environment) },
            notice: ProgressNotice(NotifySocket(environment: environment)), onDeath: onDeath,
            logger: logger)
        let reader = SignalReader(ServiceSignals.all) { received in
            if received.signal == .hup, let problem = checkSettings() {
                logger.error(
                    "the settings cannot be used; going on with the old ones",
                    metadata: [LogKey.errorMessage: "\(problem)"])
            } else {
                supervisor.receive(received.signal)
            }
        }
        let health = settings.health.listen.map { [servers] listen in
            SupervisorHealth(
                listen: listen, processes: settings.worker.processes, servers: servers,
                logger: logger
            ) { supervisor.reports }
        }
        let code = await withTaskGroup(of: Void.self) { group in
            if let health { group.addTask { await health.run() } }
            let code = await supervisor.run()
            group.cancelAll()
            return code
        }
        reader.close()
        logger.notice("supervisor stopped", metadata: [LogKey.exit: "\(code)"])
        return code
    }
}
