import ArgumentParser
import Broker
import Foundation
import JobModel
import Logging
import ProcessControl
import Scheduler
import Supervisor
import Telemetry
import Worker

/// `backhaul scheduler`: enqueues periodic jobs, each tick once, however many schedulers run.
struct SchedulerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scheduler",
        abstract: "Enqueue periodic jobs, as `celery beat` would.",
        discussion: """
            Run as many as you like: each tick is enqueued once, whoever comes first.
            It also moves delayed jobs to their queues and puts back what dead workers held.
            TERM, INT, QUIT: end. HUP: start anew, with schedule and settings of then.

            Examples:
              backhaul scheduler
              backhaul scheduler --schedule /etc/backhaul/schedule.yaml
              backhaul schedule check --file config/schedule.yaml
            """)

    @OptionGroup var shared: SharedOptions
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var start: StartFlags

    @Flag(help: "Only read the schedule, as `backhaul schedule check` does.")
    var check = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let loaded = try shared.load(adding: scheduler.flagValues + start.flagValues)
        let composition = Composition(loaded)
        let file = composition.settings.scheduler.file
        let table = try ScheduleFile.read(file)
        if check {
            print(ScheduleFile.praise(table, file: file))
            return
        }
        let logger = composition.logger
        let broker = try composition.broker()
        let loops = MaintenanceLoop.all(
            broker: broker, options: composition.settings.workerOptions,
            outage: Outage(logger: logger), logger: logger)
        let book = ObservedBook(broker)
        let schedule = RunningSchedule(table, composition: composition, broker: broker)
        let registry = MetricRegistry()
        let relay = RelayService(beside: composition, broker: broker, registry: registry)
        let health = try ServiceHealth(
            composition.settings, database: composition.settings.database.url, registry: registry,
            checks: book.checks(entries: { schedule.source.entries.count })
                + (relay?.checks ?? .none), logger: logger)
        var siblings: [@Sendable () async throws -> Void] = loops.map { loop in
            { await loop.run() }
        }
        siblings.append { await health.run() }
        if let relay { siblings.append { await relay.run() } }
        let service = SchedulerService(
            source: schedule.source, book: book, options: composition.settings.schedulerOptions,
            logger: logger, siblings: siblings + schedule.siblings)
        logger.notice(
            "scheduler started", metadata: [LogKey.count: "\(table.entries.count)"])
        let process = ServiceProcess(
            report: { book.report(entries: schedule.source.entries.count) },
            notice: ProgressNotice(NotifySocket(environment: environment)),
            checkSettings: settingsProblem, logger: logger)
        let preflight = Preflight(composition)
        let end = try await process.run {
            try await preflight.admit(logger: logger)
            await schedule.prepare()
            try await service.run()
        }
        await schedule.close()
        await broker.close()
        logger.notice("scheduler stopped")
        guard end == .again else { return }
        let image = ProcessImage.current(environment: environment)
        let failure = image.replaceThisProcess(blocking: ServiceSignals.all)
        throw CommandFailure(
            "\(image.path) cannot be started anew (errno \(failure))",
            advice: "is the file still there?")
    }

    /// What is wrong with settings and schedule as they are now, if anything.
    private var settingsProblem: @Sendable () -> String? {
        let (shared, flags) = (shared, scheduler.flagValues + start.flagValues)
        return {
            do {
                let file = try shared.settings(adding: flags).settings.scheduler.file
                _ = try ScheduleTable(file: file, jobs: BuiltInJobs.queues)
                return nil
            } catch { return "\(error)" }
        }
    }
}
