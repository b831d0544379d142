import ArgumentParser
import Broker
import JobModel
import Redis

/// `backhaul doctor`: whether everything a worker and a scheduler need is in place.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check settings, Redis, queues, PostgreSQL, migrations and the schedule.",
        discussion: """
            Changes nothing. Exits with 0 when nothing fails, else with 1; warnings do
            not count. Each line that is not ok says what to do. What fails on Redis also
            keeps a worker from starting where it would lose jobs (worker.start_anyway).

            --clean deletes what is rubbish for certain, and nothing else: reply queues of
            Celery's remote control that nobody has used for a day.

            Examples:
              backhaul doctor
              backhaul doctor --config config/production.yaml
              backhaul doctor -o json
              backhaul doctor --clean --dry-run
            """)

    @OptionGroup var shared: SharedOptions
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions

    @Flag(help: "Delete reply queues that nobody has used for a day, instead of checking.")
    var clean = false

    @Flag(help: "With --clean: say what would be deleted; delete nothing.")
    var dryRun = false

    @Flag(help: "With --clean: do not ask.")
    var yes = false

    func validate() throws {
        guard clean || !(dryRun || yes) else {
            throw ValidationError("--dry-run and --yes belong to --clean.")
        }
        guard !(yes && dryRun) else {
            throw ValidationError("--yes and --dry-run contradict each other; give one.")
        }
    }

    func run() async throws {
        if clean { return try await sweep() }
        let checks = await Self.checks(settings: {
            () throws(SettingsError) in try shared.settings(adding: scheduler.flagValues)
        })
        switch format.output {
        case .text: print(Self.table(checks))
        case .json: try OutputOptions.printJSON(checks)
        }
        if checks.contains(where: { $0.state == .fail }) { throw ExitCode.failure }
    }

    /// Looks at everything, in the order in which things depend on each other.
    static func checks(
        settings load: () throws(SettingsError) -> LoadedSettings,
        time: any TimeSource = SystemTime()
    ) async -> [DoctorCheck] {
        let loaded: LoadedSettings
        do throws(SettingsError) { loaded = try load() } catch {
            return error.problems.map {
                .fail("settings", "\($0)", advice: "see docs/configuration.md")
            }
        }
        let count = loaded.sources.count
        let processes = await livingWorkers(loaded.settings)
        return [.ok("settings", "\(count) of \(SettingKey.all.count) are not the default")]
            + (await RedisChecks(settings: loaded.settings, time: time).run())
            + HostChecks(settings: loaded.settings).run()
            + (await DatabaseChecks(
                loaded: loaded, time: time, processes: max(1, processes)
            ).run())
            + [ScheduleCheck.run(loaded.settings.scheduler.file)]
    }

    /// Worker processes with a lease; none when Redis does not tell, which its own checks report.
    private static func livingWorkers(_ settings: Settings) async -> Int {
        let standings = try? await RedisVisit(settings).run { _, broker throws(RedisError) in
            do throws(BrokerError) { return try await broker.standings() } catch { return [] }
        }
        return (standings ?? []).count(where: \.isAlive)
    }

    /// Deletes what is rubbish for certain.
    private func sweep() async throws {
        try await shared.withBroker { broker in
            let survey = try await broker.survey(standings: try await broker.standings())
            let rubbish = survey.rubbish(olderThan: QueueChecks.rubbishAge)
            guard !rubbish.isEmpty else {
                print("nothing to clean")
                return
            }
            for key in rubbish.prefix(20) { print(key) }
            if rubbish.count > 20 { print("and \(rubbish.count - 20) more") }
            if dryRun {
                print("would delete \(rubbish.count) reply queues")
                return
            }
            let isAgreed =
                try yes
                || Confirmation().isGiven(
                    for: "delete \(rubbish.count) reply queues", typing: "delete \(rubbish.count)")
            guard isAgreed else {
                throw CommandFailure("nothing was deleted", advice: "repeat, or give --yes")
            }
            let count = try await broker.discard(rubbish, idle: QueueChecks.rubbishAge)
            print("deleted \(count) reply queues")
        }
    }

    /// One line for each check, and one below it for what to do.
    static func table(_ checks: [DoctorCheck]) -> String {
        let rows = TextTable(rows: checks.map { [$0.state.rawValue, $0.name, $0.found.asOneLine] })
            .text
            .split(separator: "\n")
        return zip(rows, checks).map { row, check in
            row + (check.advice.map { "\n      → \($0)" } ?? "")
        }.joined(separator: "\n")
    }
}
