import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Jobs that wait for their time")
struct DelayedTests {
    private static let hour = Date(timeIntervalSinceNow: 3600)

    private func waiting(_ ids: [String], of fixture: BrokerFixture) async throws -> [DelayedJob] {
        try await fixture.broker.delayedJobs(ids.map { JobID($0) })
    }

    private func read(_ fixture: BrokerFixture) async throws -> [JobMessage] {
        let reply = try await fixture.raw.send(
            RedisCommand("LRANGE", BrokerFixture.mail.text, 0, -1))
        return try (reply.array ?? []).reversed().compactMap(\.bytes).map {
            try JobMessage(decoding: $0, limits: WireLimits())
        }
    }

    /// Makes everything that waits due, in the same order.
    private func makeDue(_ fixture: BrokerFixture) async throws {
        var scan = fixture.broker.scanDelayed()
        var jobs: [DelayedJob] = []
        while true {
            let more = try await scan.next()
            if more.isEmpty { break }
            jobs += more
        }
        let answers = try await fixture.broker.reschedule(jobs) {
            $0.dueAt.addingTimeInterval(-7200)
        }
        #expect(answers.allSatisfy { $0 == .done })
    }

    // MARK: Finding

    @Test("a job is found by its id, whoever put it aside, and so are its twins")
    func find() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.broker.enqueue([
            fixture.message("a/b", eta: Self.hour), fixture.message("twin", eta: Self.hour),
            fixture.message("twin", eta: Self.hour), fixture.message("other", eta: Self.hour),
        ])
        try await fixture.enqueue(1)
        let delivery = try await fixture.reserve(1)[0]
        #expect(
            try await fixture.settle(delivery, .retry(message: delivery.raw, at: Self.hour))
                == .settled)
        let found = try await waiting(["twin", "m1", "nobody", "a/b"], of: fixture)
        #expect(
            found.map { $0.message?.id.text } == ["twin", "twin", "m1", "a/b"]
                && found.allSatisfy { abs($0.dueAt.timeIntervalSince(Self.hour)) < 0.002 })
        #expect(found.map(\.queue) == Array(repeating: "mail", count: 4))
    }

    @Test("a dozen jobs with one id all wait, are all found, and are all promoted")
    func manyTwins() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.broker.enqueue(
            (0..<12).map { _ in fixture.message("same", eta: Self.hour) })
        // Those beyond the first few are found when the first names are not taken, or by listing.
        #expect(try await waiting(["same"], of: fixture).count >= 8)
        try await makeDue(fixture)
        #expect(try await fixture.broker.promoteDue(limit: 100).count == 12)
        #expect(try await read(fixture).count == 12)
    }

    @Test("what an older version put aside is found, changed and promoted")
    func olderNames() async throws {
        let fixture = try await BrokerFixture()
        let message = fixture.message("old*id", eta: Self.hour)
        for (member, list) in [("old*id/8b97054d", "mail"), ("test.1.7-2-1", "mail")] {
            let raw = message.encoded(origin: "old", deliveryTag: member)
            _ = try await fixture.raw.send(
                RedisCommand(
                    "HSET", "backhaul:delayed:messages", member, Array("\(list)\n".utf8) + raw))
            _ = try await fixture.raw.send(
                RedisCommand("ZADD", "backhaul:delayed", Int(Self.hour.milliseconds), member))
        }
        let found = try await waiting(["old*id"], of: fixture)
        #expect(found.map(\.place.member) == ["old*id/8b97054d"])
        #expect(try await waiting(["old*id", "none"], of: fixture).count == 1)
        let past = Date(timeIntervalSinceNow: -1)
        var scan = fixture.broker.scanDelayed()
        let all = try await scan.next()
        #expect(
            try await fixture.broker.reschedule(all) { _ in past } == [.done, .done])
        #expect(try await fixture.broker.promoteDue(limit: 10).count == 2)
        #expect(try await read(fixture).count == 2)
    }

    @Test("jobs are listed in the order of their due time, page by page, by every filter")
    func list() async throws {
        let fixture = try await BrokerFixture()
        let start = Date(timeIntervalSince1970: 4_000_000_000)
        // Enqueued backwards, and more than one page of a scan.
        let messages = (0..<1200).reversed().map { number in
            var message = fixture.message(
                "\(number % 2 == 0 ? "even" : "odd")-\(number)",
                in: number % 3 == 0 ? "bulk" : "mail", eta: start.addingTimeInterval(Double(number))
            )
            if number % 5 == 0 { message.name = "test.fifth" }
            return message
        }
        try await fixture.broker.enqueue(messages)
        func numbers(_ change: (inout DelayedFilter) -> Void) async throws -> [Int] {
            var filter = DelayedFilter()
            change(&filter)
            var scan = fixture.broker.scanDelayed(filter)
            var found: [Int] = []
            while true {
                let jobs = try await scan.next()
                if jobs.isEmpty { return found }
                found += jobs.map { Int($0.dueAt.timeIntervalSince(start).rounded()) }
            }
        }
        let all = 0..<1200
        #expect(try await numbers { _ in } == Array(all))
        #expect(try await numbers { $0.queue = "bulk" } == all.filter { $0 % 3 == 0 })
        #expect(try await numbers { $0.job = "test.fifth" } == all.filter { $0 % 5 == 0 })
        #expect(try await numbers { $0.idPrefix = "odd-" } == all.filter { $0 % 2 == 1 })
        let span = try await numbers {
            $0.from = start.addingTimeInterval(100)
            $0.before = start.addingTimeInterval(110)
            $0.idPrefix = "even"
        }
        #expect(span == [100, 102, 104, 106, 108])
        // A place stays a place when its job is given another time.
        var scan = fixture.broker.scanDelayed()
        let first = try await scan.next()
        let last = try #require(first.last)
        _ = try await fixture.broker.reschedule([last]) { _ in start.addingTimeInterval(9999) }
        let next = try await scan.next()
        #expect(next.first?.place.due == last.place.due + 1000)
    }

    // MARK: Changing

    @Test("a job that is rescheduled is due then, and its eta says so")
    func reschedule() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.broker.enqueue([fixture.message("m", eta: Self.hour)])
        let job = try await waiting(["m"], of: fixture)[0]
        let later = Date(timeIntervalSince1970: 4_000_000_000)
        #expect(try await fixture.broker.reschedule([job]) { _ in later } == [.done])
        // Read before the change: it is read again.
        let latest = Date(timeIntervalSince1970: 4_000_000_500.25)
        #expect(try await fixture.broker.reschedule([job]) { _ in latest } == [.done])
        let after = try await waiting(["m"], of: fixture)[0]
        #expect(after.dueAt == latest)
        #expect(after.message?.eta == latest)
        #expect(after.message?.retries == 0)
        #expect(try await fixture.broker.counters()["delayed.rescheduled"] == 2)
        #expect(try await fixture.census() == [0, 0, 1, 0, 0])
    }

    @Test("a job that is run now is on its list without an eta, once, however often it is asked")
    func runNow() async throws {
        let fixture = try await BrokerFixture()
        try await fixture.broker.enqueue([fixture.message("m", priority: 6, eta: Self.hour)])
        let job = try await waiting(["m"], of: fixture)[0]
        #expect(job.step == 2)
        let answers = try await withThrowingTaskGroup(of: [DelayedAnswer].self) { group in
            for _ in 0..<10 { group.addTask { try await fixture.broker.runNow([job]) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(answers.count { $0 == .done } == 1)
        #expect(answers.count { $0 == .gone } == 9)
        #expect(try await fixture.broker.waiting(in: BrokerFixture.mail) == [0, 0, 1, 0])
        let delivery = try await fixture.reserve(1)[0]
        #expect(try JobMessage(decoding: delivery.raw, limits: WireLimits()).eta == nil)
        #expect(try await fixture.broker.cancel([job]) == [.gone])
        #expect(try await fixture.broker.counters()["delayed.run_now"] == 1)
    }

    @Test("a job that is cancelled tells its caller, and one that nobody asks for tells nobody")
    func cancel() async throws {
        let fixture = try await BrokerFixture()
        var ignored = fixture.message("ignored", eta: Self.hour)
        ignored.ignoreResult = true
        try await fixture.broker.enqueue([fixture.message("m", eta: Self.hour), ignored])
        let jobs = try await waiting(["m", "ignored"], of: fixture)
        #expect(try await fixture.broker.cancel(jobs) == [.done, .done])
        #expect(try await fixture.broker.cancel(jobs) == [.gone, .gone])
        let record = try await fixture.raw.send(RedisCommand("GET", "celery-task-meta-m"))
        let result = try JSONValue(parsing: record.bytes ?? [])
        #expect(result["status"] == "REVOKED")
        #expect(result["result"]?["exc_type"] == "TaskRevokedError")
        let none = try await fixture.raw.send(RedisCommand("EXISTS", "celery-task-meta-ignored"))
        #expect(none.int == 0)
        #expect(try await fixture.broker.counters()["delayed.cancelled"] == 2)
        #expect(try await fixture.census() == [0, 0, 0, 0, 0])
    }

    @Test("a member of a chord that is cancelled fails the body, as one that is revoked does")
    func cancelledMember() async throws {
        let fixture = try await ChordFixture()
        let late = Signature(
            "test.member", options: ["task_id": "late", "countdown": 3600])
        try await fixture.send(
            .chord(
                [late, ChordFixture.member("b")], body: ChordFixture.body,
                options: ["task_id": "g"]))
        let delivery = try #require(try await fixture.take().first)
        _ = try await fixture.broker.settle([try fixture.success(delivery, 1)])
        let jobs = try await fixture.broker.delayedJobs([JobID("late")])
        #expect(try await fixture.broker.cancel(jobs) == [.done])
        try await fixture.tend()
        let record = try await fixture.record(of: "body")
        #expect(record?["status"] == "FAILURE")
        #expect(record?["result"]?["exc_type"] == "ChordError")
        #expect(try await fixture.int("ZCARD", "backhaul:chords") == 0)
        #expect(try await fixture.keysWithoutEnd().isEmpty)
    }

    // MARK: Promoting

    @Test("many due jobs are promoted in the order of their due time, across steps")
    func order() async throws {
        let fixture = try await BrokerFixture()
        let start = Self.hour
        var random = RepeatableRandom()
        let messages = (0..<2000).map { number in
            fixture.message(
                "m\(number)", eta: start.addingTimeInterval(Double(number) / 10_000))
        }.shuffled(using: &random)
        try await fixture.broker.enqueue(messages)
        try await makeDue(fixture)
        var counts: [Int] = []
        while true {
            let promotion = try await fixture.broker.promoteDue(limit: 100)
            if promotion.count == 0 { break }
            counts.append(promotion.count)
        }
        #expect(counts.dropLast().allSatisfy { $0 == 100 }, "\(counts)")
        let due = try await read(fixture).map { $0.eta ?? .distantPast }
        #expect(due.count == 2000)
        // Within one millisecond there is no order.
        #expect(zip(due, due.dropFirst()).allSatisfy { $1.timeIntervalSince($0) > -0.001 })
    }

    @Test("a list that is none holds up only its own jobs, and they wait on")
    func stuck() async throws {
        let fixture = try await BrokerFixture()
        _ = try await fixture.raw.send(RedisCommand("SET", "odd", "not a list"))
        try await fixture.broker.enqueue([
            fixture.message("s1", in: "odd", eta: Self.hour),
            fixture.message("m1", eta: Self.hour),
            fixture.message("s2", in: "odd", eta: Self.hour),
            fixture.message("m2", eta: Self.hour),
        ])
        try await makeDue(fixture)
        let promotion = try await fixture.broker.promoteDue(limit: 10)
        #expect(promotion.count == 2 && promotion.stuck == 2)
        #expect(try await fixture.length("mail") == 2)
        let wait = try await fixture.broker.promoteDue(limit: 10).untilNext ?? .zero
        #expect((.zero ... .seconds(10)).contains(wait))
        let jobs = try await waiting(["s1", "s2"], of: fixture)
        #expect(jobs.count == 2)
        #expect(try await fixture.broker.runNow(jobs) == [.noList, .noList])
        _ = try await fixture.raw.send(RedisCommand("DEL", "odd"))
        #expect(try await fixture.broker.runNow(jobs) == [.done, .done])
        #expect(try await fixture.length("odd") == 2)
    }

    @Test("large jobs are promoted in several steps")
    func large() async throws {
        let fixture = try await BrokerFixture()
        let text = JSONValue.string(String(repeating: "x", count: 400_000))
        try await fixture.broker.enqueue(
            (0..<40).map { number in
                var message = fixture.message("m\(number)", eta: Self.hour)
                message.body = MessageBody(args: [text], kwargs: JSONObject())
                return message
            })
        try await makeDue(fixture)
        let promotion = try await fixture.broker.promoteDue(limit: 500)
        #expect((1..<40).contains(promotion.count))
        #expect(promotion.isBehind)
    }
}
