import ArgumentParser
import Foundation
import Logging

/// The flags that every command takes, and the way from flags to settings.
struct SharedOptions: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: ArgumentHelp(
            "Settings file (YAML); without it BACKHAUL_CONFIG, else defaults.", valueName: "path"))
    var configPath: String?

    @Option(
        name: .customLong("redis"),
        help: ArgumentHelp(
            "Redis address. Other users of the machine see it: keep passwords in REDIS_URL.",
            valueName: "url"))
    var redisURL: String?

    @Option(
        name: .customLong("database"),
        help: ArgumentHelp(
            "PostgreSQL address. Keep passwords in DATABASE_URL.", valueName: "url"))
    var databaseURL: String?

    @Option(
        name: .customLong("log-level"),
        help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    @Option(name: .customLong("log-format"), help: "text or json.")
    var logFormat: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Any setting by its key, such as worker.grace_seconds=60; may be repeated.",
            valueName: "key=value"))
    var assignments: [String] = []

    /// The settings these flags name, as `SettingsLoader` takes them.
    func flagValues() throws(SettingsError) -> [FlagValue] {
        var values = FlagValue.given([
            ("redis.url", redisURL, "--redis"), ("database.url", databaseURL, "--database"),
            ("log.level", logLevel, "--log-level"), ("log.format", logFormat, "--log-format"),
        ])
        var problems: [SettingProblem] = []
        for assignment in assignments {
            let parts = assignment.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 {
                values.append(
                    FlagValue(
                        key: String(parts[0]), text: String(parts[1]), flag: "--set \(parts[0])"))
            } else {
                problems.append(
                    SettingProblem(
                        key: String(parts[0]), source: .flag(name: "--set"),
                        reason: "must be written key=value, such as worker.concurrency=8"))
            }
        }
        guard problems.isEmpty else { throw SettingsError(problems: problems) }
        return values
    }

    /// Loads settings from flags, environment and file.
    ///
    /// - Throws: `SettingsError` with every problem.
    func settings(
        adding more: [FlagValue] = [],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> LoadedSettings {
        var loader = SettingsLoader(environment: environment)
        loader.flags = try flagValues() + more
        if let configPath {
            loader.file = try SettingsFile(
                reading: configPath, namedBy: .flag(name: "--config"))
        } else if let path = environment[SettingKey.fileEnvironmentName], !path.isEmpty {
            loader.file = try SettingsFile(
                reading: path, namedBy: .environment(name: SettingKey.fileEnvironmentName))
        }
        return try loader.load()
    }

    /// What a command begins with: the settings, or all that is wrong with them and exit code 78.
    ///
    /// `more` are the command's own flags, such as `WorkerFlags.flagValues`.
    func load(adding more: [FlagValue] = []) throws -> LoadedSettings {
        do { return try settings(adding: more) } catch { throw error.exit() }
    }
}

/// The flags of commands that work on queues.
struct WorkerFlags: ParsableArguments {
    @Option(
        name: .customLong("queues"),
        help: ArgumentHelp("Queues to serve, in turn.", valueName: "a,b,c"))
    var queues: String?

    @Option(
        name: .customLong("concurrency"),
        help: ArgumentHelp("The most jobs at the same time.", valueName: "n"))
    var concurrency: String?

    @Option(
        name: [.customLong("name"), .customShort("n")],
        help: ArgumentHelp("The name for Celery's tools, such as mail@%h.", valueName: "name@host"))
    var name: String?

    @Option(
        name: .customLong("processes"),
        help: ArgumentHelp(
            "Worker processes; with more than 1 a supervisor keeps them.", valueName: "n"))
    var processes: String?

    @Flag(
        name: [.customShort("E"), .customLong("events")],
        help: "Tell Celery's monitors of each job from the start.")
    var events = false

    /// For `SharedOptions.load(adding:)`.
    var flagValues: [FlagValue] {
        FlagValue.given([
            ("worker.events", events ? "true" : nil, "--events"),
            ("worker.queues", queues, "--queues"),
            ("worker.concurrency", concurrency, "--concurrency"),
            ("worker.name", name, "--name"), ("worker.processes", processes, "--processes"),
        ])
    }
}

/// The flags of commands that read the schedule.
struct SchedulerFlags: ParsableArguments {
    @Option(
        name: .customLong("schedule"),
        help: ArgumentHelp("The file with the schedule entries.", valueName: "path"))
    var schedule: String?

    /// For `SharedOptions.load(adding:)`.
    var flagValues: [FlagValue] { FlagValue.given([("scheduler.file", schedule, "--schedule")]) }
}

/// The flags of commands that take jobs or enqueue them by themselves.
struct StartFlags: ParsableArguments {
    @Flag(
        name: .customLong("start-anyway"),
        help: "Start, with a warning, on a Redis that would lose jobs.")
    var startsAnyway = false

    /// For `SharedOptions.load(adding:)`.
    var flagValues: [FlagValue] {
        FlagValue.given([
            ("worker.start_anyway", startsAnyway ? "true" : nil, "--start-anyway")
        ])
    }
}

extension FlagValue {
    /// The flags that were given.
    fileprivate static func given(
        _ flags: [(key: String, text: String?, flag: String)]
    ) -> [FlagValue] {
        flags.compactMap { key, text, flag in
            text.map { FlagValue(key: key, text: $0, flag: flag) }
        }
    }
}

extension SettingsError {
    /// Prints every problem to standard error and gives the exit code to throw: 78, EX_CONFIG.
    func exit() -> ExitCode { ExitCode.configuration(because: self) }
}

extension ExitCode {
    /// Prints what is wrong with a file or a setting and gives the exit code to throw: 78,
    /// EX_CONFIG of sysexits(3).
    static func configuration(because error: some Error) -> ExitCode {
        FileHandle.standardError.write(Data("backhaul: \(error)\n".utf8))
        return ExitCode(SettingsError.exitCode)
    }
}
