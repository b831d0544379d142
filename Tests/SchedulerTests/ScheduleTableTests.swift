import Foundation
import JobModel
import Scheduler
import Testing

@Suite("ScheduleTable")
struct ScheduleTableTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func problems(
        _ yaml: String, jobs: [JobName: QueueName]? = nil
    ) -> [String] {
        do {
            _ = try ScheduleTable(yaml: yaml, file: "s.yaml", jobs: jobs)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("an entry is read with all its settings")
    func everything() throws {
        let table = try ScheduleTable(
            yaml: """
                timezone: Europe/Berlin
                entries:
                  sla-sweep:
                    job: sla.sweep
                    crontab: "*/5 * * * *"
                    timezone: America/New_York
                    queue: sla
                    args: [1, two, [3.50, null]]
                    kwargs: {period: current, deep: {on: true}}
                    priority: 3
                    expires_after: 4m
                    misfire: skip
                  local:
                    job: a
                    crontab: {minute: 30, hour: "2", day_of_week: mon-fri}
                  often:
                    job: b
                    every: 1m30s
                """, file: "s.yaml")
        let sweep = try #require(table.entries.first)
        #expect(table.entries.map(\.name) == ["sla-sweep", "local", "often"])
        #expect(sweep.job == "sla.sweep")
        let newYork = try #require(TimeZone(identifier: "America/New_York"))
        let berlin = try #require(TimeZone(identifier: "Europe/Berlin"))
        #expect(sweep.schedule == .crontab(try CronExpression("*/5 * * * *"), zone: newYork))
        #expect(sweep.queue == "sla")
        #expect(sweep.args.count == 3)
        #expect(sweep.args[1] == .string("two"))
        guard case .array(let inner) = sweep.args[2], case .number(let number) = inner[0] else {
            Issue.record("the third argument is \(sweep.args[2])")
            return
        }
        #expect(number.text == "3.50")
        #expect(inner[1] == .null)
        #expect(sweep.kwargs.keys == ["period", "deep"])
        #expect(sweep.kwargs["period"] == .string("current"))
        var deep = JSONObject()
        deep["on"] = .bool(true)
        #expect(sweep.kwargs["deep"] == .object(deep))
        #expect(sweep.priority == Priority(3))
        #expect(sweep.expiresAfter == .seconds(240))
        #expect(sweep.misfire == .skip)

        #expect(
            table.entries[1].schedule
                == .crontab(try CronExpression("30 2 * * mon-fri"), zone: berlin))
        #expect(table.entries[1].queue == "celery")
        #expect(table.entries[1].misfire == .runOnce)
        #expect(table.entries[1].expiresAfter == nil)
        #expect(table.entries[2].schedule == .every(.seconds(90)))
    }

    @Test("every problem is reported at once, with its line, entry and key")
    func allProblems() {
        let found = problems(
            """
            timezone: Europe/Berln
            entires: {}
            entries:
              one:
                job: sla.sweeep
                crontab: "60 * * * *"
                quue: sla
                priority: 10
                misfire: runonce
              two:
                every: 30
                timezone: UTC
                args: {a: 1}
                kwargs: [1]
                expires_after: 4 minutes
              three:
                job: webhooks.sweep
                crontab: "0 0 30 2 *"
                every: 5s
              four:
                job: webhooks.sweep
                queue: ""
              five: nothing
              six:
                job: [a]
                every: 500ms
              seven:
                job: sla.sweep
                crontab: {minutes: 5}
                timezone: CET
            """, jobs: ["sla.sweep": "sla", "webhooks.sweep": "webhooks"])
        let expected = [
            "s.yaml:1: timezone: \"Europe/Berln\" is not a name of the tz database such as"
                + " Europe/Berlin or UTC; did you mean \"Europe/Berlin\"?",
            "s.yaml:2: entires: is not a known key; did you mean \"entries\"?",
            "s.yaml:5: entry \"one\", job: \"sla.sweeep\" is not a known job;"
                + " did you mean \"sla.sweep\"?",
            "s.yaml:6: entry \"one\", crontab: minute \"60\" has 60, which is above 59",
            "s.yaml:7: entry \"one\", quue: is not a known key; did you mean \"queue\"?",
            "s.yaml:8: entry \"one\", priority: \"10\" is not a whole number from 0 (most urgent)"
                + " to 9",
            "s.yaml:9: entry \"one\", misfire: \"runonce\" is not skip, run_once or"
                + " run_all; did you mean \"run_once\"?",
            "s.yaml:10: entry \"two\", job: is missing",
            "s.yaml:11: entry \"two\", every: \"30\" has no unit; write 30s for seconds",
            "s.yaml:12: entry \"two\", timezone: has no meaning beside every, which counts from"
                + " the epoch",
            "s.yaml:13: entry \"two\", args: must be a list",
            "s.yaml:14: entry \"two\", kwargs: must be a mapping",
            "s.yaml:15: entry \"two\", expires_after: \"4 minutes\" has no unit; write 4s for"
                + " seconds",
            "s.yaml:19: entry \"three\", every: cannot stand beside crontab; an entry has one of"
                + " them",
            "s.yaml:20: entry \"four\": needs crontab or every",
            "s.yaml:22: entry \"four\", queue: is empty",
            "s.yaml:23: entry \"five\": must be a mapping of settings",
            "s.yaml:25: entry \"six\", job: must be a single value",
            "s.yaml:26: entry \"six\", every: \"500ms\" is shorter than 1.0 seconds",
            "s.yaml:29: entry \"seven\", crontab: has the unknown field \"minutes\";"
                + " did you mean \"minute\"?",
            "s.yaml:30: entry \"seven\", timezone: \"CET\" is not a name of the tz database such"
                + " as Europe/Berlin or UTC",
        ]
        #expect(found.count == expected.count)
        for (line, wanted) in zip(found, expected) { #expect(line == wanted) }
    }

    @Test("a duplicate entry is refused with its name and line")
    func duplicate() {
        let found = problems(
            """
            entries:
              a: {job: a, every: 1m}
              b: {job: a, every: 1m}
              a: {job: c, every: 1m}
            """)
        #expect(found.count == 1)
        #expect(found == ["s.yaml:4: a: is written twice; the first is on line 2"])
    }

    @Test("broken YAML is reported with its line")
    func broken() {
        let found = problems("entries:\n  a: {job: a\n  b: ]\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("s.yaml:3: is not valid YAML:") == true)
    }

    @Test(
        "an empty schedule is a schedule",
        arguments: ["", "# nothing\n", "entries:\n", "entries: {}\n"])
    func empty(yaml: String) throws {
        #expect(try ScheduleTable(yaml: yaml, file: "s.yaml").entries.isEmpty)
    }

    @Test("what is no mapping is refused", arguments: ["- a\n", "text\n", "entries: [1]\n"])
    func shape(yaml: String) {
        #expect(problems(yaml).count == 1)
    }

    @Test("an entry's own queue wins over its job's, which wins over celery")
    func queues() throws {
        let table = try ScheduleTable(
            yaml: """
                entries:
                  own: {job: sla.sweep, every: 1m, queue: other}
                  policy: {job: sla.sweep, every: 1m}
                """, file: "s.yaml", jobs: ["sla.sweep": "sla"])
        #expect(table.entries.map(\.queue.text) == ["other", "sla"])
    }

    @Test(
        "a YAML value becomes the JSON its author sees",
        arguments: [
            ("7", "#7"), ("-07", "#-7"), ("+3", "#3"), ("0", "#0"), ("-0", "#0"), ("0x1F", "#31"),
            ("0o17", "#15"), ("123456789012345678901234567890", "#123456789012345678901234567890"),
            ("1.5", "#1.5"), (".5", "#0.5"), ("2.", "#2.0"), ("1e6", "#1.0e6"),
            ("-1.25E-3", "#-1.25e-3"), ("1_000", "1_000"), ("12:30", "12:30"), ("on", "on"),
            ("yes", "yes"), ("2026-05-02", "2026-05-02"), ("\"5\"", "5"), ("'true'", "true"),
            ("!!str 5", "5"), ("1.2.3", "1.2.3"), ("-.", "-."), ("0x", "0x"), ("0o9", "0o9"),
            ("1e", "1e"), ("null text", "null text"), ("|\n        12\n", "12\n"),
        ])
    func values(yaml: String, json: String) throws {
        let table = try ScheduleTable(
            yaml: "entries:\n  a:\n    job: a\n    every: 1m\n    kwargs:\n      x: \(yaml)\n",
            file: "s.yaml")
        let value = try #require(table.entries.first?.kwargs["x"])
        switch value {
        case .number(let number): #expect("#\(number.text)" == json)
        case .string(let text): #expect(text == json)
        default: Issue.record("\(yaml) became \(value)")
        }
    }

    @Test(
        "what JSON cannot hold is refused",
        arguments: [".inf", "-.INF", ".nan", "0xFFFFFFFFFFFFFFFFF"])
    func noJSON(yaml: String) {
        let found = problems(
            "entries:\n  a:\n    job: a\n    every: 1m\n    args:\n      - \(yaml)\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("s.yaml:6: entry \"a\", args: has \(yaml), which ") == true)
    }

    @Test("a file that is missing, too large or not text says so")
    func files() throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("schedule-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        func found(_ name: String, _ data: Data?) throws -> String {
            let url = directory.appendingPathComponent(name)
            try data?.write(to: url)
            do {
                _ = try ScheduleTable(file: url.path)
                return "loaded"
            } catch {
                return error.description
            }
        }
        #expect(try found("none.yaml", nil).contains("none.yaml: cannot be read"))
        let large = Data(repeating: UInt8(ascii: "#"), count: ScheduleTable.maximumFileBytes + 1)
        #expect(try found("large.yaml", large).contains("is larger than 1048576 bytes"))
        #expect(try found("binary.yaml", Data([0x61, 0xff])).contains("is not UTF-8 text"))
        #expect(try found("good.yaml", Data("entries:\n".utf8)) == "loaded")
    }

    @Test("the schedule that is shipped loads, and its examples do when they are uncommented")
    func shipped() throws {
        let file = Self.root.appendingPathComponent("config/schedule.yaml")
        let table = try ScheduleTable(
            file: file.path,
            jobs: [
                "sla.sweep": "sla", "sla.close": "sla", "sla.burn_alert": "sla",
                "webhooks.sweep": "webhooks", "backhaul.retention": "celery",
            ])
        let names = [
            "sla-sweep", "sla-late-data", "sla-close", "sla-burn-alerts", "webhooks-sweep",
            "retention",
        ]
        #expect(table.entries.map(\.name) == names)
        #expect(
            table.entries.map(\.schedule) == [
                .crontab(try CronExpression("*/5 * * * *"), zone: .gmt),
                .crontab(try CronExpression("20 * * * *"), zone: .gmt),
                .crontab(try CronExpression("40 * * * *"), zone: .gmt),
                .crontab(try CronExpression("* * * * *"), zone: .gmt), .every(.seconds(30)),
                .every(.seconds(3600)),
            ])
        #expect(
            table.entries.map(\.queue.text) == ["sla", "sla", "sla", "sla", "webhooks", "celery"])

        let text = try String(contentsOf: file, encoding: .utf8)
        let examples = text.replacing(#/(?m)^  # ((nightly|quarterly)-|  )/#) { "  \($0.output.1)" }
        let full = try ScheduleTable(yaml: examples, file: "schedule.yaml")
        #expect(
            full.entries.map(\.name) == names + ["nightly-statements", "quarterly-report"])
    }

    @Test("the example of the documentation loads")
    func documented() throws {
        let file = Self.root.appendingPathComponent("docs/scheduling.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let example = try #require(text.firstMatch(of: #/(?s)```yaml\n(.*?)```/#)).output.1
        let table = try ScheduleTable(
            yaml: String(example), file: "example", jobs: ["sla.sweep": "sla"])
        #expect(table.entries.map(\.name) == ["sla-sweep", "bill-run", "dunning"])
    }
}
