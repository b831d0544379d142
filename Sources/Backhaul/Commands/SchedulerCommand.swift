import ArgumentParser
import Broker
import JobModel
import Logging
import Scheduler
import Worker

/// `backhaul scheduler`: enqueues periodic jobs, each tick once, however many schedulers run.
struct SchedulerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scheduler",
        abstract: "Enqueue periodic jobs, as `celery beat` would.",
        discussion: """
            Run as many as you like: each tick is enqueued once, whoever comes first.
            It also moves delayed jobs to their queues and puts back what dead workers held.

            Examples:
              backhaul scheduler
              backhaul scheduler --schedule /etc/backhaul/schedule.yaml
              backhaul scheduler --check --schedule config/schedule.yaml
            """)

    @OptionGroup var shared: SharedOptions
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var start: StartFlags

    @Flag(help: "Read the schedule, report every problem, and end: 0 when there is none, else 78.")
    var check = false

    func run() async throws {
        let loaded = try shared.load(adding: scheduler.flagValues + start.flagValues)
        let composition = Composition(loaded)
        let file = composition.settings.scheduler.file
        let table: ScheduleTable
        do throws(ScheduleProblems) {
            table = try ScheduleTable(file: file, jobs: BuiltInJobs.queues)
        } catch {
            throw ExitCode.configuration(because: error)
        }
        if check {
            print("\(file): \(table.entries.count) entries, no problem")
            return
        }
        let logger = composition.logger
        try await Preflight(composition).admit(logger: logger)
        let broker = try composition.broker()
        let loops = MaintenanceLoop.all(
            broker: broker, options: composition.settings.workerOptions,
            outage: Outage(logger: logger), logger: logger)
        let service = SchedulerService(
            table: table, ledger: broker, logger: logger,
            siblings: loops.map { loop in { await loop.run() } })
        logger.notice(
            "scheduler started", metadata: [LogKey.count: "\(table.entries.count)"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask { await StopSignals.first(logger: logger) }
            try await group.next()
            group.cancelAll()
        }
        await broker.close()
        logger.notice("scheduler stopped")
    }
}
