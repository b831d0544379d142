import ArgumentParser
import Broker
import Foundation
import JobModel
import Logging
import ProcessControl
import Supervisor
import Telemetry

/// `backhaul relay`: moves jobs from the outbox in PostgreSQL to their queues.
struct RelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Push what `backhaul.enqueue` wrote in committed transactions to its queues.",
        discussion: """
            The scheduler does this too, where database.url is set and scheduler.relay is
            not switched off; a relay of its own is for more throughput, or less waiting.
            Run as many as you like: each job is pushed once. Behind pgbouncer it needs
            ignore_startup_parameters = extra_float_digits, options.
            TERM, INT, QUIT: end. HUP: start anew, with the settings of then.

            Examples:
              backhaul relay
              backhaul relay --database postgresql://app@127.0.0.1:6432/isp
              backhaul outbox status
            """)

    @OptionGroup var shared: SharedOptions
    @OptionGroup var start: StartFlags

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let loaded = try shared.load(adding: start.flagValues)
        let database: Secret
        do { database = try loaded.databaseURL() } catch { throw error.exit() }
        let composition = Composition(loaded)
        let logger = composition.logger
        let broker = try composition.broker(quietly: true)
        let registry = MetricRegistry()
        let relay = RelayService(
            composition, database: database, broker: broker, registry: registry)
        let health = try ServiceHealth(
            composition.settings, database: database, registry: registry, checks: relay.checks,
            logger: logger)
        let process = ServiceProcess(
            report: { relay.report },
            notice: ProgressNotice(NotifySocket(environment: environment)),
            checkSettings: settingsProblem, logger: logger)
        let preflight = Preflight(composition)
        logger.notice("relay started")
        let end = try await process.run {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await health.run() }
                group.addTask {
                    // A Redis that would lose jobs gets none.
                    try await preflight.admit(logger: logger)
                    await relay.run()
                }
                try await group.waitForAll()
            }
        }
        await broker.close()
        logger.notice("relay stopped")
        guard end == .again else { return }
        let image = ProcessImage.current(environment: environment)
        let failure = image.replaceThisProcess(blocking: ServiceSignals.all)
        throw CommandFailure(
            "\(image.path) cannot be started anew (errno \(failure))",
            advice: "is the file still there?")
    }

    /// What is wrong with the settings as they are now, if anything.
    private var settingsProblem: @Sendable () -> String? {
        let (shared, flags) = (shared, start.flagValues)
        return {
            do {
                _ = try shared.settings(adding: flags).databaseURL()
                return nil
            } catch { return "\(error)" }
        }
    }
}
