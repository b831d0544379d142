import Broker
import Foundation
import JobModel
import Scheduler
import TestSupport
import Testing

@Suite("Options of a schedule entry")
struct EntryOptionTests {
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

    private func problems(of settings: String) -> [String] {
        problems("entries:\n  a: {job: a, \(settings)}\n")
            .map { $0.replacing("s.yaml:2: entry \"a\", ", with: "") }
    }

    private func entry(_ settings: String) throws -> ScheduleEntry {
        let table = try ScheduleTable(
            yaml: "timezone: Europe/Berlin\nentries:\n  a: {job: a, \(settings)}\n", file: "s.yaml")
        return try #require(table.entries.first)
    }

    @Test("an entry has sensible defaults")
    func defaults() throws {
        let entry = try entry("every: 1m")
        #expect(entry.misfire == .runOnce)
        #expect(entry.misfireAfter == .seconds(60))
        #expect(entry.misfireLimit == 100)
        #expect(entry.overlap == .allow)
        #expect(entry.overlapStaleAfter == .seconds(86_400))
        #expect(entry.jitter == .zero)
        #expect(entry.starts == nil && entry.ends == nil && entry.holidays == nil)
        #expect(!entry.isPaused && !entry.isForeign)
        #expect(entry.zone.identifier == "Europe/Berlin")
        #expect(entry.origin == .file("s.yaml", line: 3))
    }

    @Test("every option is read")
    func everything() throws {
        let table = try ScheduleTable(
            yaml: """
                timezone: UTC
                holidays:
                  de: [2026-12-25, 2026-12-31..2027-01-01, 2026-12-26]
                  none:
                entries:
                  bills:
                    job: bills.run
                    foreign: true
                    crontab: 0 6 * * *
                    timezone: Europe/Berlin
                    misfire: run_all
                    misfire_after: 10m
                    misfire_limit: 12
                    overlap: queue_one
                    overlap_stale_after: 6h
                    jitter: 5m
                    starts: 2026-03-29
                    ends: 2026-12-31
                    holidays: de
                """, file: "s.yaml", jobs: [:])
        let entry = try #require(table.entries.first)
        #expect(entry.isForeign && entry.queue == .celery)
        #expect(entry.misfire == .runAll)
        #expect(entry.misfireAfter == .seconds(600))
        #expect(entry.misfireLimit == 12)
        #expect(entry.overlap == .queueOne)
        #expect(entry.overlapStaleAfter == .seconds(21_600))
        #expect(entry.jitter == .seconds(300))
        #expect(entry.starts == instant("2026-03-28T23:00:00Z"))
        #expect(entry.ends == instant("2026-12-31T23:00:00Z"))
        #expect(entry.holidays == table.calendars["de"])
        #expect(table.calendars.keys.sorted() == ["de", "none"])
        let calendar = try #require(entry.holidays)
        for (time, isHoliday) in [
            ("2026-12-24T22:59:59Z", false), ("2026-12-24T23:00:00Z", true),
            ("2026-12-26T22:59:59Z", true), ("2026-12-26T23:00:00Z", false),
            ("2026-12-31T12:00:00Z", true), ("2027-01-01T23:00:00Z", false),
        ] {
            #expect(calendar.contains(instant(time), in: entry.zone) == isHoliday, "\(time)")
        }
    }

    @Test(
        "starts and ends are times in the entry's zone",
        arguments: [
            ("2026-05-02T12:00", "2026-05-02T10:00:00Z"),
            ("2026-05-02 12:00:30", "2026-05-02T10:00:30Z"),
            ("2026-05-02T12:00Z", "2026-05-02T12:00:00Z"),
            ("2026-05-02T12:00-03:30", "2026-05-02T15:30:00Z"),
            // Skipped, as long after the gap as it would have been; shown twice, the first time.
            ("2026-03-29T02:30", "2026-03-29T01:30:00Z"),
            ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
            ("2026-10-25T03:00", "2026-10-25T02:00:00Z"),
        ])
    func wallTimes(text: String, time: String) throws {
        #expect(try entry("every: 1m, starts: \"\(text)\"").starts == instant(time))
        #expect(try entry("every: 1m, ends: \"\(text)\"").ends == instant(time))
    }

    @Test(
        "what is wrong is said with its key",
        arguments: [
            (
                "every: 1m, misfire: run_al",
                "misfire: \"run_al\" is not skip, run_once or run_all; did you mean \"run_all\"?"
            ),
            (
                "every: 1m, overlap: queue",
                "overlap: \"queue\" is not allow, skip or queue_one"
            ),
            (
                "every: 1m, misfire: run_all, misfire_limit: 1001",
                "misfire_limit: \"1001\" is not a whole number from 1 to 1000"
            ),
            (
                "every: 1m, misfire_limit: 5",
                "misfire_limit: has no meaning unless misfire is run_all"
            ),
            (
                "every: 1m, overlap_stale_after: 1h",
                "overlap_stale_after: has no meaning unless overlap is skip or queue_one"
            ),
            ("every: 1m, jitter: 61s", "jitter: is longer than the interval"),
            ("crontab: 0 0 * * *, jitter: 61m", "jitter: is longer than an hour"),
            ("every: 1m, foreign: maybe", "foreign: \"maybe\" is neither true nor false"),
            ("every: 1m, holidays: de", "holidays: \"de\" is not a calendar of this file"),
            (
                "every: 1m, starts: tomorrow",
                "starts: \"tomorrow\" is not a date such as 2026-05-02, or a time such as"
                    + " 2026-05-02T12:00 or 2026-05-02T12:00+02:00"
            ),
            (
                "every: 1m, starts: 2026-02-30",
                "starts: \"2026-02-30\" is not a date such as 2026-05-02, or a time such as"
                    + " 2026-05-02T12:00 or 2026-05-02T12:00+02:00"
            ),
            (
                "every: 1m, starts: 2026-05-02, ends: 2026-05-01", "ends: is not later than starts"
            ),
            (
                "crontab: 0 0 1 1 *, starts: 2026-02-01, ends: 2026-12-31",
                "crontab: never fires between starts and ends"
            ),
            (
                "every: 52w, starts: 2026-02-01, ends: 2026-02-01",
                "every: never fires between starts and ends"
            ),
            (
                "every: 1m, timezone: Europe/Berlin",
                "timezone: has no meaning beside every, which counts from the epoch"
            ),
        ])
    func refused(settings: String, problem: String) {
        #expect(problems(of: settings) == [problem])
    }

    @Test("a zone beside an interval is taken when something hangs on it")
    func zoneOfInterval() throws {
        let zone = "timezone: America/New_York"
        #expect(
            try entry("every: 1m, \(zone), starts: 2026-05-02").starts
                == instant("2026-05-02T04:00:00Z"))
        #expect(
            try entry("every: 1m, \(zone), args: [\"{{ tick.due_at | date }}\"]").zone.identifier
                == "America/New_York")
    }

    @Test("calendars that cannot be read are refused with their line")
    func calendars() {
        let found = problems(
            """
            holidays:
              de: [2026-13-01, 2026-12-31..2026-12-24]
              fr: 2026-07-14
              it:
                - 2026-01-01..2028-01-01
                - [a]
            entries:
              a: {job: a, every: 1m, holidays: ed}
            """)
        #expect(
            found == [
                "s.yaml:2: holidays.de: has \"2026-13-01\", which is not a date such as 2026-12-25"
                    + " or a range such as 2026-12-24..2027-01-01",
                "s.yaml:2: holidays.de: has \"2026-12-31..2026-12-24\", which ends before it begins",
                "s.yaml:3: holidays.fr: must be a list of days",
                "s.yaml:5: holidays.it: has \"2026-01-01..2028-01-01\", which is longer than 366"
                    + " days",
                "s.yaml:6: holidays.it: has \"\", which is not a date such as 2026-12-25"
                    + " or a range such as 2026-12-24..2027-01-01",
                "s.yaml:8: entry \"a\", holidays: \"ed\" is not a calendar of this file;"
                    + " did you mean \"de\"?",
            ])
    }

    @Test("a job that is not known here needs to be called foreign")
    func foreign() throws {
        let yaml = "entries:\n  a: {job: py.report, every: 1m}\n"
        #expect(
            problems(yaml, jobs: ["sla.sweep": "sla"]) == [
                "s.yaml:2: entry \"a\", job: \"py.report\" is not a known job; if other workers run"
                    + " it, write foreign: true beside it"
            ])
        let table = try ScheduleTable(
            yaml: yaml.replacing("every", with: "foreign: true, every"), file: "s.yaml",
            jobs: ["sla.sweep": "sla"])
        #expect(table.entries.first?.job == "py.report")
    }
}

@Suite("An entry outside a file")
struct StoredDefinitionTests {
    private func read(
        _ definition: String, name: String = "a", jobs: [JobName: QueueName]? = nil
    ) throws -> ScheduleEntry {
        let berlin = try #require(TimeZone(identifier: "Europe/Berlin"))
        let table = try ScheduleTable(
            yaml: "timezone: Europe/Berlin\nholidays: {de: [2026-12-25]}\n", file: "s.yaml")
        #expect(table.zone == berlin)
        return try ScheduleEntry.read(
            name: name, definition: definition, label: "stored", zone: table.zone,
            calendars: table.calendars, jobs: jobs)
    }

    private func problems(_ definition: String, name: String = "a") throws -> [String] {
        do {
            _ = try read(definition, name: name, jobs: ["sla.sweep": "sla"])
            return []
        } catch let error as ScheduleProblems {
            return error.problems.map(\.description)
        }
    }

    @Test("JSON and YAML say the same")
    func forms() throws {
        let json = try read(
            #"{"job": "sla.sweep", "crontab": "0 5 * * *", "kwargs": {"day": "{{ window.start | date }}", "n": 1.50}, "holidays": "de", "misfire": "run_all"}"#,
            jobs: ["sla.sweep": "sla"])
        let yaml = try read(
            """
            job: sla.sweep
            crontab: 0 5 * * *
            kwargs: {day: "{{ window.start | date }}", n: 1.50}
            holidays: de
            misfire: run_all
            """, jobs: ["sla.sweep": "sla"])
        #expect(json == yaml)
        #expect(json.name == "a")
        #expect(json.queue == "sla")
        #expect(json.zone.identifier == "Europe/Berlin")
        #expect(json.holidays != nil)
        #expect(!json.templates.isEmpty)
        #expect(json.origin == .code)
    }

    @Test("every problem is told with where the text comes from")
    func refused() throws {
        #expect(
            try problems(#"{"job": "sla.sweeep", "every": "0s", "quue": "x"}"#) == [
                "stored:1: entry \"a\", quue: is not a known key; did you mean \"queue\"?",
                "stored:1: entry \"a\", job: \"sla.sweeep\" is not a known job;"
                    + " did you mean \"sla.sweep\"?",
                "stored:1: entry \"a\", every: \"0s\" is shorter than 1.0 seconds",
            ])
        #expect(try problems("") == ["stored: entry \"a\": is empty"])
        #expect(try problems("[1]") == ["stored:1: entry \"a\": must be a mapping of settings"])
        #expect(try problems("{job: ").first?.contains("is not valid YAML") == true)
        #expect(
            try problems("{job: sla.sweep, every: 1m, every: 2m}").first?.contains(
                "every: is written")
                == true)
        #expect(
            try problems("{job: sla.sweep, every: 1m}", name: "")
                == ["stored: entry \"\": an entry needs a name"])
        #expect(
            try problems(String(repeating: "#", count: 64 * 1024 + 1))
                == ["stored: entry \"a\": is larger than 65536 bytes"])
    }

    @Test("a text gone wrong anywhere is read or refused, and what is read has bounded ticks")
    func fuzz() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RepeatableRandom(seed: seed)
        let text = """
            job: sla.sweep
            crontab: "*/5 0-6 * * mon-fri"
            timezone: Europe/Berlin
            kwargs: {from: "{{ window.start | unix }}", to: ["{{ tick.due_at }}", 1.5]}
            starts: 2026-03-29T02:30
            ends: 2027-01-01
            jitter: 5m
            misfire: run_all
            misfire_limit: 12
            overlap: skip
            """
        let alphabet = Array("{}[]|:.,-*/\\\"' \n0129azZ_é")
        var (accepted, refused) = (0, 0)
        for _ in 0..<600 {
            var characters = Array(text)
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let index = Int.random(in: 0..<characters.count, using: &random)
                let other = alphabet.randomElement(using: &random) ?? " "
                switch Int.random(in: 0..<3, using: &random) {
                case 0: characters.insert(other, at: index)
                case 1: characters.remove(at: index)
                default: characters[index] = other
                }
            }
            do throws(ScheduleProblems) {
                let entry = try ScheduleEntry.read(
                    name: "a", definition: String(characters), label: "stored")
                for tick in entry.upcoming(after: instant("2026-01-01T00:00:00Z"), limit: 3) {
                    let message = Tick(entry: entry, dueAt: tick.dueAt)
                        .message(id: JobID("1"), at: tick.firesAt)
                    #expect(message.body.kwargs.count == entry.kwargs.count, "seed \(seed)")
                    #expect(tick.firesAt >= tick.dueAt, "seed \(seed)")
                }
                accepted += 1
            } catch {
                #expect(!error.problems.isEmpty, "seed \(seed): \(String(characters))")
                refused += 1
            }
        }
        #expect(accepted > 20 && refused > 200, "seed \(seed): \(accepted), \(refused)")
    }
}
