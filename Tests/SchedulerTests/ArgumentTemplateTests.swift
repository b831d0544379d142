import Foundation
import JobModel
import Scheduler
import Testing

@Suite("Templates in arguments")
struct ArgumentTemplateTests {
    private func entry(_ kwargs: String, schedule: String = "crontab: 0 2 1 * *") throws
        -> ScheduleEntry
    {
        let table = try ScheduleTable(
            yaml: """
                timezone: Europe/Berlin
                holidays: {easter: [2026-04-03..2026-04-06]}
                entries:
                  bills: {job: a, \(schedule), kwargs: \(kwargs)}
                """, file: "s.yaml")
        return try #require(table.entries.first)
    }

    /// What `x` of the job's arguments is for a tick.
    private func rendered(
        _ text: String, due: String = "2026-03-01T01:00:00Z", previous: String? = nil,
        schedule: String = "crontab: 0 2 1 * *"
    ) throws -> JSONValue? {
        let entry = try entry("{x: '\(text)'}", schedule: schedule)
        let tick = Tick(
            entry: entry, dueAt: instant(due), previous: previous.map(instant))
        return tick.message(id: JobID("1"), at: instant("2026-05-02T12:00:00Z")).body.kwargs["x"]
    }

    @Test(
        "each field is filled in from the tick, whenever that happens",
        arguments: [
            ("{{ tick.due_at }}", "2026-03-01T01:00:00.000+00:00"),
            ("{{tick.due_at|date}}", "2026-03-01"),
            ("{{ window.start }}", "2026-02-01T01:00:00.000+00:00"),
            ("{{ window.end }}", "2026-03-01T01:00:00.000+00:00"),
            ("{{ window.start | month }}", "2026-02"),
            ("{{ tick.previous | date }}", "2026-01-05"),
            (
                "bills for {{ window.start | month }}, {{ entry.name }}!",
                "bills for 2026-02, bills!"
            ),
            ("{{ window.start | unix }}..{{ window.end | unix }}", "1769907600..1772326800"),
            ("plain", "plain"), ("}} {", "}} {"), ("\\{{ x }}", "{{ x }}"),
            ("\\{{ {{ entry.name }} }}", "{{ bills }}"),
        ])
    func fields(text: String, expected: String) throws {
        #expect(
            try rendered(text, previous: "2026-01-05T00:00:00Z") == .string(expected))
    }

    @Test("exactly one unix time is a number")
    func numbers() throws {
        #expect(try rendered("{{ window.end | unix }}") == .number(JSONNumber(1_772_326_800)))
        #expect(try rendered(" {{ window.end | unix }}") == .string(" 1772326800"))
        let half = try rendered(
            "{{ window.end | unix }}", due: "2026-03-01T00:00:01Z", schedule: "every: 1500ms")
        #expect(half?.doubleValue == 1_772_323_201)
    }

    @Test("days are those of the entry's zone")
    func zones() throws {
        #expect(
            try rendered("{{ tick.due_at | date }}", due: "2026-02-28T23:00:00Z")
                == .string("2026-03-01"))
        #expect(
            try rendered(
                "{{ tick.due_at | date }}", due: "2026-02-28T23:00:00Z",
                schedule: "every: 1h, timezone: America/New_York") == .string("2026-02-28"))
    }

    @Test("windows adjoin: a change of the clock, holidays and intervals")
    func windows() throws {
        let daily = "crontab: 0 3 * * *"
        #expect(
            try rendered("{{ window.start }}", due: "2026-03-29T01:00:00Z", schedule: daily)
                == .string("2026-03-28T02:00:00.000+00:00"))
        // Good Friday to Easter Monday: the window of Tuesday begins on Thursday.
        #expect(
            try rendered(
                "{{ window.start }}", due: "2026-04-07T01:00:00Z",
                schedule: "\(daily), holidays: easter")
                == .string("2026-04-02T01:00:00.000+00:00"))
        #expect(
            try rendered(
                "{{ window.start }}", due: "2026-04-07T01:00:00Z", schedule: "every: 5m")
                == .string("2026-04-07T00:55:00.000+00:00"))
        // The first tick of an entry is for a whole period too.
        #expect(
            try rendered(
                "{{ window.start }}", due: "2026-04-07T01:00:00Z",
                schedule: "\(daily), starts: 2026-04-07")
                == .string("2026-04-06T01:00:00.000+00:00"))
    }

    @Test("texts are filled in at any depth, keys and other values are not touched")
    func depth() throws {
        let entry = try entry(#"{a: [{b: "{{ entry.name }}"}, 1], "{{ entry.name }}": true}"#)
        let body = Tick(entry: entry, dueAt: instant("2026-03-01T01:00:00Z"))
            .message(id: JobID("1"), at: instant("2026-03-01T01:00:00Z")).body
        let inner = JSONObject([("b", .string("bills"))])
        #expect(body.kwargs["a"] == .array([.object(inner), .number(JSONNumber(1))]))
        #expect(body.kwargs["{{ entry.name }}"] == .bool(true))
    }

    @Test(
        "a template gone wrong is refused with its line",
        arguments: [
            (
                "{{ window.begin }}",
                "has the unknown field \"window.begin\"; known are tick.due_at, tick.previous,"
                    + " window.start, window.end, entry.name"
            ),
            (
                "{{ window.strat }}",
                "has the unknown field \"window.strat\"; did you mean \"window.start\"?"
            ),
            (
                "{{ window.end | dat }}",
                "has the unknown format \"dat\"; did you mean \"date\"?"
            ),
            (
                "{{ window.end | }}",
                "has the unknown format \"\"; known are date, month, unix"
            ),
            (
                "{{ window.end | date | unix }}",
                "has more than one format in \"{{ window.end | date | unix }}\""
            ),
            ("{{ entry.name | date }}", "has a format after entry.name, which is not a time"),
            (
                "from {{ window.start",
                "has \"{{\" without \"}}\"; write \\{{ for the braces themselves"
            ),
            (
                "{{ }}",
                "has the unknown field \"\"; known are tick.due_at, tick.previous, window.start,"
                    + " window.end, entry.name"
            ),
        ])
    func refused(text: String, problem: String) throws {
        do {
            _ = try ScheduleTable(
                yaml: """
                    entries:
                      a:
                        job: a
                        every: 1m
                        args:
                          - [fine, '\(text)']
                        kwargs:
                          deep:
                            x: '\(text)'
                    """, file: "s.yaml")
            Issue.record("it was read")
        } catch {
            #expect(
                error.problems.map(\.description) == [
                    "s.yaml:6: entry \"a\", args: \(problem)",
                    "s.yaml:9: entry \"a\", kwargs: \(problem)",
                ])
        }
    }

    @Test("a template without quotes is a mapping to YAML, and that is said")
    func quotes() {
        do {
            _ = try ScheduleTable(
                yaml: "entries:\n  a: {job: a, every: 1m, args: [{{ window.start }}]}\n",
                file: "s.yaml")
            Issue.record("it was read")
        } catch {
            #expect(error.description.contains("a template stands in quotes"))
        }
    }
}
