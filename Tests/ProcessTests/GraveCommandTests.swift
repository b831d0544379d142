import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@Suite("Dead letters and quarantine from the command line", .timeLimit(.minutes(5)))
struct GraveCommandTests {
    private struct Page: Decodable {
        struct Item: Decodable {
            let entry: String
            let id: String?
            let code: String
            let fingerprint: String?
        }

        let items: [Item]
        let total: Int
        let next: String?
    }

    private struct Groups: Decodable {
        struct Group: Decodable {
            let fingerprint: String
            let count: Int
            let example: String
        }

        let groups: [Group]
    }

    private struct Detail: Decodable {
        let kwargs: [String: Int]
        let deaths: [String]
        let errors: [[String: JSONValue]]
        let original: Data
        let beforeEdit: Data?

        enum CodingKeys: String, CodingKey {
            case kwargs
            case deaths
            case errors
            case original
            case beforeEdit = "before_edit"
        }
    }

    private func run(_ arguments: [String], _ queues: QueueServer) async throws
        -> BackhaulProcess.Ended
    {
        try await BackhaulProcess.run(arguments + ["--redis", queues.url], within: .seconds(60))
    }

    private func json<Value: Decodable>(
        _ type: Value.Type, _ arguments: [String], _ queues: QueueServer
    ) async throws -> Value {
        let ended = try await run(arguments + ["-o", "json"], queues)
        #expect(ended.code == 0, "\(ended.errors)")
        return try JSONDecoder().decode(type, from: Data(ended.output.utf8))
    }

    /// Buries `count` pings that have failed twice.
    private func bury(
        _ count: Int, on queues: QueueServer, in grave: Grave = .dead,
        kwargs: JSONObject = ["secret_number": 4711],
        message: (Int) -> String = { "no row \($0)" }
    ) async throws {
        let broker = queues.broker
        try await broker.enqueue(
            (1...count).map { number in
                OutgoingMessage(
                    id: JobID("m\(number)"), name: "backhaul.ping",
                    body: MessageBody(args: [], kwargs: kwargs), queue: .celery)
            })
        let worker = WorkerID(host: "test", processID: 1, random: 7)
        let taken = try await broker.reserve(
            upTo: count, for: worker, from: [ListAddress(queue: .celery, step: 0)])
        _ = try await broker.settle(
            try taken.enumerated().map { index, delivery in
                let read = try JobMessage(decoding: delivery.raw, limits: WireLimits())
                let report = FailureReport(code: "error", type: "Odd", message: message(index))
                let failed = try read.retried(retries: 1, eta: nil, adding: report, at: Date())
                let again = Delivery(
                    raw: failed, lease: delivery.lease, queue: .celery, step: 0,
                    reservedAt: Date())
                let record = BuriedMessage(
                    again, id: read.id, name: read.name, because: report, attempts: 2,
                    history: try JobMessage(decoding: failed, limits: WireLimits()).errorHistory(),
                    at: Date())
                return Settling(delivery: delivery, transition: .bury(in: grave, record))
            })
    }

    @Test("look, group, edit, replay one: the whole story of a dead job", arguments: Grave.allCases)
    func story(grave: Grave) async throws {
        let queues = try await QueueServer()
        let name = grave.rawValue
        try await bury(3, on: queues, in: grave)
        let page = try await json(Page.self, [name, "list", "--per-page", "2"], queues)
        #expect(page.total == 3)
        #expect(page.items.count == 2)
        let next = try #require(page.next)
        let rest = try await json(Page.self, [name, "list", "--after", next], queues)
        #expect(rest.items.count == 1)
        let table = try await run([name, "list", "-o", "table"], queues)
        #expect(table.output.contains("error: no row"))
        #expect(!table.output.contains("4711"))
        let groups = try await json(Groups.self, [name, "groups"], queues)
        #expect(groups.groups.map(\.count) == [3])
        let entry = groups.groups[0].example
        let detail = try await json(Detail.self, [name, "show", entry], queues)
        #expect(detail.kwargs == ["secret_number": 4711])
        #expect(detail.errors.count == 2)
        let shown = try await run([name, "show", entry], queues)
        #expect(shown.output.contains("attempt 1") && shown.output.contains("attempt 2"))

        let tried = try await run(
            [name, "edit", entry, "--drop-kwarg", "secret_number", "--dry-run"], queues)
        #expect(tried.code == 0)
        #expect(tried.output.contains("- kwargs.secret_number: 4711"))
        let refused = try await run([name, "edit", entry, "--kwarg", "a=1"], queues)
        #expect(refused.code == 64)
        #expect(refused.errors.contains("--yes"))
        let edited = try await run(
            [name, "edit", entry, "--drop-kwarg", "secret_number", "--yes"], queues)
        #expect(edited.code == 0, "\(edited.errors)")
        let after = try await json(Detail.self, [name, "show", entry], queues)
        #expect(after.kwargs.isEmpty)
        #expect(after.beforeEdit == detail.original)

        let dry = try await run([name, "replay", entry, "--dry-run"], queues)
        #expect(dry.output.contains("would put back backhaul.ping"))
        #expect(try await queues.waiting(in: .celery) == 0)
        let replayed = try await run([name, "replay", entry], queues)
        #expect(replayed.code == 0, "\(replayed.errors)")
        #expect(replayed.output.hasPrefix("put back 1 of 1"))
        let twice = try await run([name, "replay", entry], queues)
        #expect(twice.code == 1)
        #expect(twice.errors.contains("not in \(name)"))
        #expect(try await queues.messages(in: .celery).map(\.retries) == [0])
    }

    @Test("a whole group runs again and succeeds, and nothing is left")
    func replayGroup() async throws {
        let queues = try await QueueServer()
        try await bury(30, on: queues, kwargs: [:])
        let group = try await json(Groups.self, ["dead", "groups"], queues).groups[0]
        let worker = try BackhaulProcess.worker(redis: queues.url)
        let ended = try await run(
            ["dead", "replay", "--group", group.fingerprint, "--rate", "100", "--watch", "30s"],
            queues)
        #expect(ended.code == 0, "\(ended.errors)")
        #expect(ended.output.contains("put back 30 of 30, came back 0, succeeded 30, left 0"))
        #expect(try await queues.broker.count(of: .dead) == 0)
        _ = try await worker.stop()
    }

    @Test("a group that fails again is stopped with exit code 1 and the ids, the rest stays")
    func stopsByItself() async throws {
        let queues = try await QueueServer()
        let total = 200
        try await queues.broker.enqueue(
            (1...total).map { number in
                OutgoingMessage(
                    id: JobID("u\(number)"), name: "nobody.knows",
                    body: MessageBody(args: [], kwargs: JSONObject()), queue: .celery)
            })
        let worker = try BackhaulProcess.worker(redis: queues.url)
        try await eventually(within: .seconds(30), "quarantine") {
            try await queues.broker.count(of: .quarantine) == total
        }
        let ended = try await run(
            [
                "quarantine", "replay", "--all", "--reason", "job.unknown", "--rate", "20",
                "--stop-after-failures", "3",
            ], queues)
        #expect(ended.code == 1)
        #expect(ended.errors.contains("have failed again"))
        #expect(ended.errors.contains("left"))
        try await eventually(within: .seconds(30), "all of them in quarantine again") {
            try await queues.broker.count(of: .quarantine) == total
        }
        let replayed = try await queues.broker.counters()["quarantine.replayed"] ?? 0
        #expect((3..<total).contains(replayed))
        _ = try await worker.stop()
    }

    @Test("a signal stops a replay between two entries, says where, and loses nothing")
    func interrupted() async throws {
        let queues = try await QueueServer()
        try await bury(50, on: queues)
        let process = try BackhaulProcess([
            "dead", "replay", "--all", "--rate", "5", "--redis", queues.url,
        ])
        try await eventually(within: .seconds(30), "the first ones") {
            try await queues.waiting(in: .celery) >= 2
        }
        let ended = try await process.stop()
        #expect(ended.code == 1)
        #expect(ended.errors.contains("told to stop with"))
        let back = try await queues.waiting(in: .celery)
        #expect(back < 50)
        #expect(try await queues.broker.count(of: .dead) == 50 - back)
    }

    @Test("a purge needs --yes where nobody can be asked, and counts what it deletes")
    func purge() async throws {
        let queues = try await QueueServer()
        try await bury(6, on: queues) { $0 < 2 ? "one kind" : "another kind" }
        let refused = try await run(["dead", "purge", "--all"], queues)
        #expect(refused.code == 64)
        #expect(refused.errors.contains("--dry-run") && refused.errors.contains("--yes"))
        let group = try await json(Groups.self, ["dead", "groups"], queues).groups[1]
        #expect(group.count == 2)
        let dry = try await run(
            ["dead", "purge", "--group", group.fingerprint, "--dry-run"], queues)
        #expect(dry.output == "would purge 2 entries of dead\n")
        #expect(try await queues.broker.count(of: .dead) == 6)
        let done = try await run(["dead", "purge", "--group", group.fingerprint, "--yes"], queues)
        #expect(done.output == "purged 2 of dead\n")
        let young = try await run(["dead", "purge", "--older-than", "7d", "--yes"], queues)
        #expect(young.output == "nothing to purge\n")
        let slip = try await run(["dead", "purge", "none", "--yes"], queues)
        #expect(slip.code == 1)
        #expect(try await queues.broker.count(of: .dead) == 4)
        #expect(try await queues.broker.counters()["dead.purged"] == 2)
    }

    @Test("who asks for nothing, or for what is not there, is told what to write")
    func mistakes() async throws {
        let queues = try await QueueServer()
        let nothing = try await run(["dead", "replay"], queues)
        #expect(nothing.code == 64)
        #expect(nothing.errors.contains("--group"))
        let missing = try await run(["quarantine", "show", "none"], queues)
        #expect(missing.code == 1)
        #expect(missing.errors.contains("backhaul quarantine list"))
        let edit = try await run(["dead", "edit", "none", "--args", "[]", "--yes"], queues)
        #expect(edit.code == 1)
        let away = try await BackhaulProcess.run([
            "dead", "list", "--redis", "redis://127.0.0.1:1/0", "--set",
            "redis.command_timeout_seconds=1",
        ])
        #expect(away.code == 1)
        #expect(away.errors.contains("backhaul doctor"))
    }

    @Test("doctor --clean deletes nothing that is in use, and asks")
    func clean() async throws {
        let queues = try await QueueServer()
        _ = try await queues.raw.send(RedisCommand("LPUSH", "a.reply.celery.pidbox", "x"))
        let ended = try await run(["doctor", "--clean", "--yes"], queues)
        #expect(ended.output == "nothing to clean\n")
        #expect(try await run(["doctor", "--yes"], queues).code == 64)
    }

    @Test("a scheduler does not start on a Redis that evicts, unless it is told to")
    func preflight() async throws {
        let queues = try await QueueServer(arguments: ["--maxmemory-policy", "allkeys-lru"])
        let directory = try TemporaryDirectory()
        let schedule = directory.path(of: "schedule.yaml")
        let text = "entries:\n  ping:\n    job: backhaul.ping\n    every: 1h\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: schedule))
        let refused = try await run(["scheduler", "--schedule", schedule], queues)
        #expect(refused.code == 78)
        #expect(refused.errors.contains("does not start on a Redis that would lose jobs"))
        #expect(refused.errors.contains("noeviction"))
        let started = try BackhaulProcess([
            "scheduler", "--schedule", schedule, "--start-anyway", "--redis", queues.url,
        ])
        try await started.says("starts on a Redis that may lose jobs, as told")
        #expect(try await started.stop().code == 0)
    }
}
