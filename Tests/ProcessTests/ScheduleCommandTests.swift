import Foundation
import JobModel
import Postgres
import Redis
import TestSupport
import Testing

@Suite("The schedule from the command line", .serialized, .timeLimit(.minutes(5)))
struct ScheduleCommandTests {
    private static let schedule = """
        entries:
          bill-run: {job: backhaul.ping, every: 1s, queue: bills, kwargs: {}}
          monthly: {job: backhaul.ping, crontab: "0 2 1 * *", timezone: Europe/Berlin}
        """

    @Test("a scheduler obeys add, pause, resume, run and rm, and a pause outlives a restart")
    func life() async throws {
        try await ScheduleScene.with(schedule: Self.schedule) { scene in
            let first = try scene.scheduler()
            try await scene.grows("bills", by: 1)

            try await scene.schedule("pause", "bill-run", "--reason", "prices are wrong")
            try await scene.schedule(
                "add", "extra", "--job", "backhaul.ping", "--every", "1s", "--queue", "extras")
            try await scene.grows("extras", by: 1)
            let paused = try await scene.queues.waiting(in: "bills")
            try await scene.grows("extras", by: 2)
            #expect(try await scene.queues.waiting(in: "bills") == paused)

            // A restart while PostgreSQL is away: what Redis knows counts.
            await scene.server.kill()
            try await scene.grows("extras", by: 2)
            #expect(try await first.stop().code == 0)
            let second = try scene.scheduler()
            try await second.says("going on with the stored schedule that Redis knows")
            try await scene.grows("extras", by: 2)
            #expect(try await scene.queues.waiting(in: "bills") == paused)
            let listing = try await scene.schedule("ls")
            #expect(listing.output.contains("those that Redis knows"))
            #expect(listing.output.contains("bill-run is paused: prices are wrong"))
            let refused = try await scene.schedule("resume", "bill-run", code: 1)
            #expect(refused.errors.contains("cannot reach PostgreSQL"))

            try await scene.server.restart()
            try await second.says("stored schedule can be read again")
            try await scene.schedule("resume", "bill-run")
            try await scene.grows("bills", by: 2)

            try await scene.schedule("pause", "extra", "--reason", "enough")
            let id = try await scene.schedule("run", "extra").output
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let sent = try await scene.queues.messages(in: "extras")
            #expect(sent.contains { $0.id.text == id })

            try await scene.schedule("resume", "extra")
            try await scene.grows("extras", by: 1)
            try await scene.schedule("rm", "extra", "--yes")
            try await scene.grows("bills", by: 2)
            let left = try await scene.queues.waiting(in: "extras")
            try await scene.grows("bills", by: 2)
            #expect(try await scene.queues.waiting(in: "extras") == left)
            #expect(try await second.stop().code == 0)
        }
    }

    @Test("a scheduler that cannot tell what is paused runs nothing until it can")
    func blindStart() async throws {
        try await ScheduleScene.with(schedule: Self.schedule) { scene in
            try await scene.schedule("pause", "bill-run", "--reason", "prices are wrong")
            _ = try await scene.queues.raw.send(RedisCommand("FLUSHALL"))
            await scene.server.kill()
            let scheduler = try scene.scheduler()
            try await scheduler.says("no entry runs: neither PostgreSQL nor Redis tells")
            try await scene.server.restart()
            try await scheduler.says("stored schedule can be read again")
            try await scene.schedule(
                "add", "extra", "--job", "backhaul.ping", "--every", "1s", "--queue", "extras")
            try await scene.grows("extras", by: 2)
            #expect(try await scene.queues.waiting(in: "bills") == 0)
            #expect(try await scheduler.stop().code == 0)
        }
    }

    @Test("what became of ticks and runs by hand is in PostgreSQL, with the ends of their jobs")
    func history() async throws {
        try await ScheduleScene.with(schedule: Self.schedule) { scene in
            let scheduler = try scene.scheduler()
            let worker = try BackhaulProcess.worker(
                redis: scene.queues.url, database: scene.databaseURL, queues: "bills,celery")
            let run = try await scene.json("run", "monthly")
            let id = try #require(run["job"]?.stringValue)
            let pool = PostgresServer.pool(scene.databaseURL) { $0.poolSize = 1 }
            try await eventually(within: .seconds(60), "three ended ticks and a run") {
                let rows = try await pool.query(
                    """
                    select count(*) filter (where outcome = 'enqueued' and entry = 'bill-run')
                        as ticks,
                        count(*) filter (where outcome = 'triggered' and run = \(id)) as runs
                    from backhaul.ticks
                    where ended_state = 'SUCCESS' and decided_at is not null
                    """)
                let (ticks, runs): (Int, Int) = (try rows[0]["ticks"], try rows[0]["runs"])
                return ticks >= 3 && runs == 1
            }
            let ticks = try #require(
                try await scene.json("history", "bill-run", "--outcome", "SUCCESS").arrayValue)
            #expect(ticks.count >= 3)
            let shown = try await scene.json("show", "monthly")
            #expect(shown["ticks"]?.arrayValue?.map { $0["job"] } == [.string(id)])
            #expect(shown["ticks"]?.arrayValue?.map { $0["ended_state"] } == ["SUCCESS"])
            try await scene.schedule("pause", "bill-run", "--reason", "why")
            try await eventually(within: .seconds(30), "a tick that passed") {
                let passed = try await scene.json("history", "bill-run", "--outcome", "paused")
                return passed.arrayValue?.isEmpty == false
            }
            await pool.shutdown()
            #expect(try await scheduler.stop().code == 0)
            #expect(try await worker.stop().code == 0)
        }
    }

    @Test("entries are listed, shown, changed and removed, each with its origin and its history")
    func story() async throws {
        try await ScheduleScene.with(schedule: Self.schedule) { scene in
            let definition = scene.file + ".entry"
            try Data("job: backhaul.ping\ncrontab: {minute: 30, hour: 3}\nargs: []\n".utf8)
                .write(to: URL(fileURLWithPath: definition))
            try await scene.schedule("add", "night", "--file", definition, "--by", "ada@noc")
            let again = try await scene.schedule("add", "night", "--file", definition, code: 1)
            #expect(again.errors.contains("--replace"))
            try await scene.schedule(
                "add", "night", "--file", definition, "--replace", "--by", "bob")
            try await scene.schedule(
                "set", "night", "crontab=0 4 * * *", "timezone=Europe/Berlin", "priority=3", "--by",
                "cy")
            let late = try await scene.schedule(
                "set", "night", "priority=4", "--version", "1", code: 1)
            #expect(late.errors.contains("to version 3"))
            try await scene.schedule("pause", "monthly", "--reason", "prices", "--by", "dee")

            let items = try #require(try await scene.json("ls")["items"]?.arrayValue)
            #expect(items.map { $0["name"] } == ["bill-run", "monthly", "night"])
            #expect(items.map { $0["state"] } == ["active", "paused", "active"])
            #expect(items[0]["origin"]?.stringValue?.hasPrefix(scene.file) == true)
            #expect(items[1]["pause_reason"] == "prices")
            #expect(items[1]["next"] == nil)
            #expect(items[2]["origin"] == "stored by cy")
            #expect(items[2]["when"] == "0 4 * * *")
            #expect(items[2]["zone"] == "Europe/Berlin")
            let shown = try await scene.json("show", "night")
            #expect(shown["settings"]?["priority"] == "3")
            #expect(shown["upcoming"]?.arrayValue?.count == 5)
            #expect(
                shown["changes"]?.arrayValue?.map { $0["what"] } == ["change", "replace", "add"])
            #expect(shown["changes"]?.arrayValue?.map { $0["by"] } == ["cy", "bob", "ada@noc"])

            let next = try await scene.json("next", "night", "--count", "3")
            #expect(next.arrayValue?.count == 3)
            let tried = try await scene.schedule("rm", "night", "--dry-run")
            #expect(tried.output.contains("would be removed"))
            let unasked = try await scene.schedule("rm", "night", code: 64)
            #expect(unasked.errors.contains("--yes"))
            try await scene.schedule("rm", "night", "--yes")
            let gone = try await scene.schedule("show", "nite", code: 1)
            #expect(gone.errors.contains("there is no schedule entry"))
            let declared = try await scene.schedule("rm", "bill-run", "--yes", code: 1)
            #expect(declared.errors.contains("declared in the schedule file"))
            let history = try await scene.schedule("history", "bill-run", "--since", "1h")
            #expect(history.output.contains("no ticks"))
        }
    }

    @Test(
        "a definition that is wrong is refused with its key and the reason",
        arguments: [
            (["--job", "backhaul.pong", "--every", "30s"], "did you mean \"backhaul.ping\"?"),
            (["--job", "backhaul.ping", "--crontab", "0 0 30 2 *"], "never occurs"),
            (
                ["--job", "backhaul.ping", "--crontab", "0 0 * * *", "timezone=Berlin"],
                "tz database"
            ),
            (["--job", "backhaul.ping", "--every", "30"], "has no unit"),
            (["--job", "backhaul.ping", "--every", "30s", "quue=x"], "did you mean \"queue\"?"),
            (["--job", "backhaul.ping"], "needs crontab or every"),
        ])
    func refused(flags: [String], reason: String) async throws {
        let directory = try TemporaryDirectory(prefix: "backhaul-schedule")
        let file = directory.path(of: "schedule.yaml")
        try Data(Self.schedule.utf8).write(to: URL(fileURLWithPath: file))
        let ended = try await BackhaulProcess.run(
            ["schedule", "add", "x", "--dry-run", "--schedule", file] + flags)
        #expect(ended.code == 78)
        #expect(
            ended.errors.contains("command line: entry \"x\"")
                || ended.errors.contains("command line:"))
        #expect(ended.errors.contains(reason), "\(ended.errors)")
    }

    @Test("check asks no server and ends with 0 or 78; scheduler --check is the same")
    func check() async throws {
        let directory = try TemporaryDirectory(prefix: "backhaul-schedule")
        let file = directory.path(of: "schedule.yaml")
        try Data(Self.schedule.utf8).write(to: URL(fileURLWithPath: file))
        for command in [
            ["schedule", "check", "--file", file], ["scheduler", "--check", "--schedule", file],
        ] {
            let ended = try await BackhaulProcess.run(command)
            #expect(ended.code == 0)
            #expect(ended.output == "\(file): 2 entries, no problem\n")
        }
        try Data("entries:\n  a: {job: backhaul.ping, every: 30}\n  b: {}\n".utf8)
            .write(to: URL(fileURLWithPath: file))
        for command in [
            ["schedule", "check", "--file", file], ["scheduler", "--check", "--schedule", file],
        ] {
            let ended = try await BackhaulProcess.run(command)
            #expect(ended.code == 78)
            #expect(ended.errors.contains("\(file):2: entry \"a\", every: "))
            #expect(ended.errors.contains("\(file):3: entry \"b\", job: is missing"))
        }
        let json = try await BackhaulProcess.run([
            "schedule", "check", "--file", file, "-o", "json",
        ])
        #expect(json.code == 78)
        #expect(json.output.contains("entry \\\"a\\\", every"))
    }

    @Test("without a database the file alone is listed and simulated, and nothing can be stored")
    func withoutDatabase() async throws {
        let queues = try await QueueServer()
        let directory = try TemporaryDirectory(prefix: "backhaul-schedule")
        let file = directory.path(of: "schedule.yaml")
        try Data(Self.schedule.utf8).write(to: URL(fileURLWithPath: file))
        let servers = ["--redis", queues.url, "--schedule", file]
        let listed = try await BackhaulProcess.run(["schedule", "ls"] + servers)
        #expect(listed.code == 0 && listed.output.contains("monthly"))
        let simulated = try await BackhaulProcess.run(
            ["schedule", "simulate", "--days", "366", "--entry", "monthly", "-o", "json"] + servers)
        #expect(simulated.code == 0)
        let report = try JSONValue(parsing: Array(simulated.output.utf8))
        #expect(
            report["ticks"]?.arrayValue?.count == 12 || report["ticks"]?.arrayValue?.count == 13)
        let refused = try await BackhaulProcess.run(
            ["schedule", "pause", "monthly", "--reason", "x"] + servers)
        #expect(refused.code == 78 && refused.errors.contains("DATABASE_URL"))
    }
}
