import ArgumentParser
import JobModel

/// `backhaul doctor`: whether everything a worker and a scheduler need is in place.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check settings, Redis, PostgreSQL, migrations and the schedule.",
        discussion: """
            Changes nothing. Exits with 0 when nothing fails, else with 1; warnings do
            not count. Each line that is not ok says what to do.

            Examples:
              backhaul doctor
              backhaul doctor --config config/production.yaml
              backhaul doctor -o json
            """)

    @OptionGroup var shared: SharedOptions
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions

    func run() async throws {
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
        let redis = loaded.settings.redis
        let count = loaded.sources.count
        return [.ok("settings", "\(count) of \(SettingKey.all.count) are not the default")]
            + (await RedisChecks(url: redis.url, options: redis.options, time: time).run())
            + (await DatabaseChecks(loaded: loaded).run())
            + [ScheduleCheck.run(loaded.settings.scheduler.file)]
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
