import ArgumentParser
import Foundation
import JobModel
import Scheduler
import Store

/// The settings of an entry on the command line.
struct DefinitionFlags: ParsableArguments {
    @Option(help: "The job's name.")
    var job: String?

    @Option(help: ArgumentHelp("Five fields, such as \"0 3 * * *\".", valueName: "crontab"))
    var crontab: String?

    @Option(help: ArgumentHelp("An interval, such as 30s or 1h30m.", valueName: "length"))
    var every: String?

    @Option(help: ArgumentHelp("The crontab's zone, such as Europe/Berlin.", valueName: "zone"))
    var timezone: String?

    @Option(help: "The queue; else that of the job.")
    var queue: String?

    @Option(help: ArgumentHelp("Positional arguments.", valueName: "JSON array"))
    var args: String?

    @Option(help: ArgumentHelp("Keyword arguments.", valueName: "JSON object"))
    var kwargs: String?

    @Option(help: "0 is the most urgent, 9 the least.")
    var priority: Int?

    @Option(help: ArgumentHelp("Drop a job not begun after this long.", valueName: "length"))
    var expiresAfter: String?

    @Option(help: ArgumentHelp("What happens to ticks that are late.", valueName: "policy"))
    var misfire: String?

    @Option(help: ArgumentHelp("What happens while the last job runs.", valueName: "policy"))
    var overlap: String?

    @Option(help: ArgumentHelp("Fire up to this much later, at random.", valueName: "length"))
    var jitter: String?

    /// Whether none was given.
    var isEmpty: Bool {
        priority == nil
            && [
                job, crontab, every, timezone, queue, args, kwargs, expiresAfter, misfire,
                overlap, jitter,
            ].allSatisfy { $0 == nil }
    }

    /// What was given, by the keys of the schedule file.
    func settings() throws -> JSONObject {
        var settings = JSONObject()
        for (key, text) in [
            ("job", job), ("crontab", crontab), ("every", every), ("timezone", timezone),
            ("queue", queue),
        ] {
            settings[key] = text.map { .string($0) }
        }
        settings["args"] = try args.map { try Self.json($0, flag: "--args") }
        settings["kwargs"] = try kwargs.map { try Self.json($0, flag: "--kwargs") }
        settings["priority"] = priority.map { .number(JSONNumber($0)) }
        settings["expires_after"] = expiresAfter.map { .string($0) }
        settings["misfire"] = misfire.map { .string($0) }
        settings["overlap"] = overlap.map { .string($0) }
        settings["jitter"] = jitter.map { .string($0) }
        return settings
    }

    private static func json(_ text: String, flag: String) throws -> JSONValue {
        do { return try JSONValue(parsing: Array(text.utf8)) } catch {
            throw ValidationError("\(flag) is not JSON: \(error)")
        }
    }
}

/// Settings written `key=value`, by the keys of the schedule file.
enum SettingAssignment {
    /// The key and the value; nil to take the setting away.
    ///
    /// A value that is JSON but not text counts as that, so that `args=[1]` is a list and `priority=3`
    /// a number; all else is text.
    static func parse(_ text: String) throws -> (key: String, value: JSONValue?) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw ValidationError(
                "“\(text)” must be written key=value, such as every=30s; key= takes it away")
        }
        let key = String(text[..<equals])
        let value = String(text[text.index(after: equals)...])
        guard !value.isEmpty else { return (key, nil) }
        return (key, (try? JSONValue(parsing: Array(value.utf8))) ?? .string(value))
    }

    /// The settings with these changes.
    static func apply(_ assignments: [String], to settings: inout JSONObject) throws {
        for text in assignments {
            let (key, value) = try parse(text)
            settings[key] = value
        }
    }
}

/// A definition from a file or from standard input.
enum DefinitionFile {
    static func read(_ path: String) throws -> EntryDefinition {
        let limit = ScheduleRepository.maximumDefinitionBytes
        let data: Data
        do {
            let handle =
                path == "-"
                ? FileHandle.standardInput
                : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            data = try handle.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw ValidationError("--file: \(path) cannot be read")
        }
        guard data.count <= limit, let text = String(validating: data, as: UTF8.self) else {
            throw ValidationError("--file: \(path) must be UTF-8 of at most \(limit) bytes")
        }
        do throws(ScheduleProblems) {
            return try EntryDefinition(yaml: text, label: path)
        } catch {
            throw ExitCode.configuration(because: error)
        }
    }
}
