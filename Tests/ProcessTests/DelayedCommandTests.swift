import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@Suite("Delayed jobs from the command line", .timeLimit(.minutes(5)))
struct DelayedCommandTests {
    private struct Page: Decodable {
        struct Item: Decodable {
            let id: String?
            let name: String?
            let queue: String
            let retries: Int
            let place: String
        }

        let items: [Item]
        let total: Int
        let next: String?
    }

    private struct Detail: Decodable {
        let id: String
        let kwargs: [String: Int]
        let headers: [String: JSONValue]
    }

    private struct Report: Decodable {
        let found: Int
        let done: Int
        let gone: Int
        let more: Bool
    }

    private func run(_ arguments: String..., on queues: QueueServer) async throws
        -> BackhaulProcess.Ended
    {
        try await BackhaulProcess.run(
            ["delayed"] + arguments + ["--redis", queues.url], within: .seconds(60))
    }

    private func json<Value: Decodable>(
        _ type: Value.Type, _ arguments: String..., on queues: QueueServer
    ) async throws -> Value {
        let ended = try await BackhaulProcess.run(
            ["delayed"] + arguments + ["-o", "json", "--redis", queues.url], within: .seconds(60))
        #expect(ended.code == 0, "\(ended.errors)")
        return try JSONDecoder().decode(type, from: Data(ended.output.utf8))
    }

    /// Puts pings aside, an hour ahead, each a minute after the one before.
    private func putAside(
        _ ids: [String], as name: JobName = "backhaul.ping", on queues: QueueServer,
        kwargs: JSONObject = ["secret_number": 4711], expires: Date? = nil
    ) async throws {
        try await queues.broker.enqueue(
            ids.enumerated().map { index, id in
                var message = OutgoingMessage(
                    id: JobID(id), name: name,
                    body: MessageBody(args: [], kwargs: kwargs), queue: .celery)
                message.eta = Date(timeIntervalSinceNow: 3600 + Double(index) * 60)
                message.expires = expires
                return message
            })
    }

    @Test("look, page, filter: what waits, the next ones first, arguments only in show")
    func look() async throws {
        let queues = try await QueueServer()
        #expect(try await run("ls", on: queues).output == "nothing waits for its time\n")
        try await putAside(["a", "b", "c"], on: queues)
        try await putAside(["x"], as: "mail.send", on: queues)
        let page = try await json(Page.self, "ls", "--per-page", "2", on: queues)
        #expect(page.total == 4)
        #expect(page.items.count == 2)
        let rest = try await json(
            Page.self, "ls", "--after", try #require(page.next), on: queues)
        #expect(
            Set((page.items + rest.items).compactMap(\.id)) == ["a", "x", "b", "c"]
                && rest.next == nil)
        #expect(
            try await json(Page.self, "ls", "--job", "mail.send", on: queues).items.map(\.id)
                == ["x"])
        let later = try await json(Page.self, "ls", "--due-from", "3630s", on: queues)
        #expect(later.items.map(\.id) == ["b", "c"])
        let table = try await run("ls", "-o", "table", on: queues)
        #expect(table.output.contains("59m") && table.output.contains("4 in all"))
        #expect(!table.output.contains("4711"))
        let detail = try await json(Detail.self, "show", "b", on: queues)
        #expect(detail.id == "b" && detail.kwargs == ["secret_number": 4711])
        let shown = try await run("show", "b", on: queues)
        #expect(shown.output.contains("4711") && shown.output.contains("due"))
        let raw = try await run("show", "b", "--raw", on: queues)
        #expect(
            try JobMessage(decoding: Array(raw.output.utf8), limits: WireLimits()).id.text == "b")
        let missing = try await run("show", "nobody", on: queues)
        #expect(missing.code == 1)
        #expect(missing.errors.contains("no job nobody waits") && missing.errors.contains("ls"))
    }

    @Test("a named job is moved, run and cancelled without a question; one that is gone is told")
    func named() async throws {
        let queues = try await QueueServer()
        try await putAside(
            ["a", "b", "c"], on: queues, expires: Date(timeIntervalSinceNow: 36_000))
        let tried = try await run("cancel", "a", "--dry-run", on: queues)
        #expect(tried.output.hasPrefix("would cancel backhaul.ping a, due "))
        #expect(try await queues.broker.delayed() == 3)

        let moved = try await run(
            "reschedule", "a", "--to", "2096-12-01T06:00:00Z", on: queues)
        #expect(moved.code == 0, "\(moved.errors)")
        #expect(moved.output == "rescheduled: 1; 1 of them expire before that\n")
        let detail = try await json(Detail.self, "show", "a", on: queues)
        #expect(detail.headers["eta"] == "2096-12-01T06:00:00+00:00")
        #expect(try await run("reschedule", "a", "--by", "1h", on: queues).code == 0)
        let later = try await json(Detail.self, "show", "a", on: queues)
        #expect(later.headers["eta"] == "2096-12-01T07:00:00+00:00")

        let ran = try await run("run", "b", on: queues)
        #expect(ran.output == "sent to their queues: 1\n")
        #expect(try await queues.messages(in: .celery).map(\.id.text) == ["b"])
        let again = try await run("run", "b", "c", on: queues)
        #expect(again.code == 1)
        #expect(again.errors.contains("do not wait (any more): b"))
        #expect(try await queues.messages(in: .celery).map(\.id.text) == ["b", "c"])

        let cancelled = try await run("cancel", "a", on: queues)
        #expect(cancelled.output == "cancelled: 1\n", "\(cancelled.errors)")
        #expect(try await queues.states(of: [JobID("a")]) == ["REVOKED"])
        #expect(try await queues.broker.delayed() == 0)
    }

    @Test("what a filter finds is asked about, counted, and bounded")
    func filtered() async throws {
        let queues = try await QueueServer()
        try await putAside((0..<40).map { "p\($0)" }, on: queues, kwargs: [:])
        try await putAside((0..<5).map { "m\($0)" }, as: "mail.send", on: queues)
        let unasked = try await run("cancel", "--job", "mail.send", on: queues)
        #expect(unasked.code == 64)
        #expect(unasked.errors.contains("cancel 5 jobs") && unasked.errors.contains("--yes"))
        let dry = try await json(
            Report.self, "cancel", "--job", "mail.send", "--dry-run", on: queues)
        #expect(dry.found == 5 && dry.done == 0)
        let report = try await json(
            Report.self, "cancel", "--job", "mail.send", "--yes", on: queues)
        #expect(report.found == 5 && report.done == 5 && report.gone == 0)
        let some = try await json(
            Report.self, "run", "--queue", "celery", "--limit", "15", "--yes", on: queues)
        #expect(some.done == 15 && some.more)
        #expect(
            try await queues.messages(in: .celery).map(\.id.text) == (0..<15).map { "p\($0)" })
        let rest = try await run("reschedule", "--all", "--to", "1s", "--yes", on: queues)
        #expect(rest.output.hasPrefix("rescheduled: 25"), "\(rest.errors)")
        for wrong in [
            ["cancel"], ["cancel", "x", "--all"], ["reschedule", "x"], ["run", "--limit", "0"],
            ["reschedule", "x", "--to", "soon"], ["ls", "--after", "nonsense"],
        ] {
            let ended = try await BackhaulProcess.run(
                ["delayed"] + wrong + ["--redis", queues.url])
            #expect(ended.code == 64, "\(wrong): \(ended.errors)")
        }
        // All of them run, once.
        let worker = try BackhaulProcess.worker(redis: queues.url)
        try await eventually(within: .seconds(30), "all have run") {
            try await queues.resultCount(of: (0..<40).map { JobID("p\($0)") }) == 40
        }
        let ended = try await worker.stop()
        let last = ended.errors.suffix(200)
        #expect(last.contains("succeeded=40"), "\(last)")
    }

    @Test("many jobs of one kind are enqueued for later in one command, for one moment")
    func many() async throws {
        let queues = try await QueueServer()
        let ended = try await BackhaulProcess.run([
            "enqueue", "backhaul.ping", "--count", "3000", "--countdown", "600", "--redis",
            queues.url,
        ])
        #expect(ended.output == "enqueued 3000 jobs\n", "\(ended.errors)")
        let times = try await queues.raw.send(
            RedisCommand("ZRANGE", "backhaul:delayed", 0, -1, "WITHSCORES"))
        let items = (times.array ?? []).compactMap(\.string)
        #expect(items.count == 6000)
        #expect(Set(stride(from: 1, to: items.count, by: 2).map { items[$0] }).count == 1)
    }
}
