import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Dead letters and quarantine, as operators use them")
struct GraveTests {
    /// Buries messages with ids `m1`, `m2`, …, one second apart from second 1000 on.
    private func bury(
        _ count: Int, in grave: Grave = .dead, _ fixture: BrokerFixture,
        code: (Int) -> String = { _ in "error" }
    ) async throws -> [BuriedMessage] {
        try await fixture.enqueue(count)
        var buried: [BuriedMessage] = []
        while buried.count < count {
            for delivery in try await fixture.reserve(100) {
                let number = buried.count
                let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
                let record = BuriedMessage(
                    delivery, id: message.id, name: message.name,
                    because: FailureReport(
                        code: code(number), type: "Test", message: "row \(number)"),
                    attempts: 1, history: [],
                    at: Date(timeIntervalSince1970: Double(1000 + number)))
                #expect(try await fixture.settle(delivery, .bury(in: grave, record)) == .settled)
                buried.append(record)
            }
        }
        return buried
    }

    private func all(_ scan: GraveScan) async throws -> [String] {
        var scan = scan
        var entries: [String] = []
        while true {
            let records = try await scan.next()
            if records.isEmpty { return entries }
            entries += records.map(\.entry)
        }
    }

    @Test("a scan reads everything once, from either end, page by page")
    func scan() async throws {
        let fixture = try await BrokerFixture()
        let buried = try await bury(450, fixture).map(\.entry)
        #expect(try await all(fixture.broker.scan(.dead, order: .oldestFirst)) == buried)
        #expect(try await all(fixture.broker.scan(.dead)) == buried.reversed())
        #expect(try await all(fixture.broker.scan(.quarantine)) == [])
    }

    @Test("filters mean job, queue, code, fingerprint and time")
    func filters() async throws {
        let fixture = try await BrokerFixture()
        let buried = try await bury(10, fixture) { $0 < 4 ? "timeout" : "error" }
        func found(_ change: (inout GraveFilter) -> Void) async throws -> Int {
            var filter = GraveFilter()
            change(&filter)
            return try await all(fixture.broker.scan(.dead, filter)).count
        }
        #expect(try await found { $0.code = "timeout" } == 4)
        #expect(try await found { $0.job = "test.job" } == 10)
        #expect(try await found { $0.job = "other" } == 0)
        #expect(try await found { $0.queue = "mail" } == 10)
        #expect(try await found { $0.fingerprint = buried[9].fingerprint } == 6)
        #expect(try await found { $0.since = Date(timeIntervalSince1970: 1003) } == 7)
        #expect(try await found { $0.until = Date(timeIntervalSince1970: 1003) } == 3)
        let between = try await found {
            $0.since = Date(timeIntervalSince1970: 1002)
            $0.until = Date(timeIntervalSince1970: 1005)
        }
        #expect(between == 3)
        var filter = GraveFilter()
        filter.since = Date(timeIntervalSince1970: 1002)
        filter.until = Date(timeIntervalSince1970: 1005)
        let oldest = try await all(fixture.broker.scan(.dead, filter, order: .oldestFirst))
        #expect(oldest == buried[2..<5].map(\.entry))
    }

    @Test(
        "a scan goes on behind an entry that is gone, though all were buried at one moment",
        arguments: [GraveOrder.newestFirst, .oldestFirst])
    func place(order: GraveOrder) async throws {
        let fixture = try await BrokerFixture()
        // Names whose order by bytes differs from that by letters.
        let names = ["B", "a", "Z", "b", "c-1", "c-10", "c-2", "c.", "c", "d", "0", "_"]
        for name in names {
            _ = try await fixture.raw.send(RedisCommand("ZADD", "backhaul:dead", 5, name))
        }
        let everything = try await all(fixture.broker.scan(.dead, order: order))
        #expect(Set(everything) == Set(names))
        for (index, name) in everything.enumerated() {
            let rest = Array(everything[(index + 1)...])
            let place = GraveCursor(time: 5, entry: name)
            #expect(try await all(fixture.broker.scan(.dead, order: order, after: place)) == rest)
            _ = try await fixture.raw.send(RedisCommand("ZREM", "backhaul:dead", name))
            #expect(try await all(fixture.broker.scan(.dead, order: order, after: place)) == rest)
        }
    }

    @Test("a place is found by the number of entries before it")
    func numberedPlace() async throws {
        let fixture = try await BrokerFixture()
        let buried = try await bury(5, fixture).map(\.entry)
        let place = try #require(try await fixture.broker.place(behind: 2, of: .dead))
        #expect(place == GraveCursor(time: 1_003_000, entry: buried[3]))
        #expect(GraveCursor(place.description) == place)
        #expect(try await all(fixture.broker.scan(.dead, after: place)).count == 3)
        #expect(try await fixture.broker.place(behind: 6, of: .dead) == nil)
    }

    @Test("a page ends early when its messages are large, and nothing is skipped")
    func largeMessages() async throws {
        let fixture = try await BrokerFixture()
        let large = String(repeating: "x", count: 1_500_000)
        let entries = ["e1", "e2", "e3", "e4", "e5", "e6"]
        for (index, entry) in entries.enumerated() {
            _ = try await fixture.raw.pipeline([
                RedisCommand("ZADD", "backhaul:dead", index, entry),
                RedisCommand("HSET", "backhaul:dead:entries", entry, large),
            ])
        }
        var scan = fixture.broker.scan(.dead, order: .oldestFirst)
        let first = try await scan.next()
        #expect(first.map(\.entry) == ["e1", "e2", "e3"])
        #expect(try await scan.next().map(\.entry) == ["e4", "e5", "e6"])
        #expect(first.allSatisfy { $0.message == nil })
    }

    @Test("an edit replaces the message once nobody else did, and keeps what was found")
    func edit() async throws {
        let fixture = try await BrokerFixture()
        let entry = try await bury(1, fixture)[0].entry
        let broker = fixture.broker
        let read = try #require(try await broker.record(of: entry, in: .dead))
        let found = try #require(read.message)
        let body = MessageBody(args: [7], kwargs: JSONObject())
        let edited = found.edited(try found.decoded().replacing(body))
        #expect(try await broker.replace(read, with: edited, in: .dead) == .done)
        #expect(try await broker.replace(read, with: edited, in: .dead) == .changed)
        let again = try #require(try await broker.record(of: entry, in: .dead))
        #expect(again.message?.beforeEdit == found.original)
        let twice = try #require(again.message).edited(Array("second".utf8))
        #expect(twice.beforeEdit == found.original)
        // A replay that read the entry before it was edited must not bring the old message back.
        #expect(try await broker.replay(read, from: .dead) == .changed)
        #expect(try await broker.replay(again, from: .dead) == .done)
        #expect(try await broker.replay(again, from: .dead) == .gone)
        #expect(try await broker.replace(again, with: twice, in: .dead) == .gone)
        let delivery = try await fixture.reserve(1)[0]
        let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        #expect(try message.body(limits: WireLimits()).args == [7])
        #expect(try await broker.counters() == ["dead.replayed": 1])
    }

    @Test("purging counts what it deletes, and what is not there is not counted")
    func purge() async throws {
        let fixture = try await BrokerFixture()
        let entries = try await bury(5, fixture).map(\.entry)
        #expect(try await fixture.broker.purge(["none", entries[0], entries[1]], from: .dead) == 2)
        #expect(try await fixture.broker.purge([entries[0]], from: .dead) == 0)
        #expect(try await fixture.broker.count(of: .dead) == 3)
        #expect(try await fixture.broker.record(of: entries[0], in: .dead) == nil)
        #expect(try await fixture.broker.counters() == ["dead.purged": 2])
    }

    @Test("trimming drops what is too old and what is too many, in bounded steps, counted apart")
    func trim() async throws {
        let fixture = try await BrokerFixture {
            $0.maximumDead = 4
            $0.maximumDeadAge = .seconds(3600)
            $0.maximumQuarantinedAge = .zero
        }
        let now = Date().timeIntervalSince1970 * 1000
        for number in 0..<10 {
            let time = number < 3 ? 1000 : now
            for grave in ["backhaul:dead", "backhaul:quarantine"] {
                _ = try await fixture.raw.pipeline([
                    RedisCommand("ZADD", grave, time, "e\(number)"),
                    RedisCommand("HSET", grave + ":entries", "e\(number)", "record"),
                ])
            }
        }
        var steps: [GraveTrim] = []
        repeat {
            steps.append(try await fixture.broker.trimGraves(limit: 2))
        } while steps.last?.count != 0
        #expect(steps.allSatisfy { $0.count <= 2 })
        #expect(steps.reduce(0) { $0 + ($1.expired[.dead] ?? 0) } == 3)
        #expect(steps.reduce(0) { $0 + ($1.dropped[.dead] ?? 0) } == 3)
        #expect(try await fixture.broker.counters() == ["dead.expired": 3, "dead.dropped": 3])
        #expect(try await fixture.broker.count(of: .dead) == 4)
        #expect(try await fixture.broker.count(of: .quarantine) == 10)
        let left = try await fixture.raw.send(RedisCommand("HLEN", "backhaul:dead:entries"))
        #expect(left.int == 4)
    }

    @Test("results tell the same end from another one")
    func results() async throws {
        let fixture = try await BrokerFixture()
        let key = fixture.broker.keys.result(of: JobID("m1"))
        func store(_ text: String) async throws {
            _ = try await fixture.raw.send(RedisCommand("SET", key, text))
        }
        #expect(try await fixture.broker.results(of: [JobID("m1")]) == [nil])
        try await store(#"{"status": "FAILURE", "result": {}, "date_done": "1"}"#)
        let first = try await fixture.broker.results(of: [JobID("m1"), JobID("m2")])
        #expect(first[0]?.status == "FAILURE")
        #expect(first[1] == nil)
        #expect(try await fixture.broker.results(of: [JobID("m1")])[0] == first[0])
        try await store(#"{"status": "FAILURE", "result": {}, "date_done": "2"}"#)
        #expect(try await fixture.broker.results(of: [JobID("m1")])[0] != first[0])
    }

    @Test("whatever operators do in whatever order, nothing is lost that was not purged")
    func countsAddUp() async throws {
        var random = RepeatableRandom()
        let fixture = try await BrokerFixture()
        let broker = fixture.broker
        var accepted = 0
        for _ in 0..<150 {
            let grave: Grave = Bool.random(using: &random) ? .dead : .quarantine
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                let count = Int.random(in: 1...4, using: &random)
                accepted += count
                try await fixture.enqueue(count)
            case 2:
                for delivery in try await fixture.reserve(3) {
                    _ = try await fixture.settle(
                        delivery, .bury(in: grave, fixture.buried(delivery)))
                }
            default:
                var scan = broker.scan(grave)
                let records = try await scan.next()
                guard let record = records.randomElement(using: &random),
                    let message = record.message
                else { continue }
                switch Int.random(in: 0..<4, using: &random) {
                case 0: _ = try await broker.purge([record.entry, "none"], from: grave)
                case 1:
                    let mark = JSONValue.number(
                        JSONNumber(UInt64.random(in: 0...(.max), using: &random)))
                    let body = MessageBody(args: [mark], kwargs: JSONObject())
                    let edited = message.edited(try message.decoded().replacing(body))
                    #expect(try await broker.replace(record, with: edited, in: grave) == .done)
                    // What was read before is out of date now, and does nothing.
                    #expect(try await broker.replay(record, from: grave) == .changed)
                case 2:
                    // Two operators at once: one of them comes first.
                    async let one = broker.replay(record, from: grave)
                    async let two = broker.replay(record, from: grave)
                    let answers = try await [one, two]
                    #expect(answers.count { $0 == .done } == 1)
                default: #expect(try await broker.replay(record, from: grave) == .done)
                }
            }
        }
        let counters = try await broker.counters()
        let purged = Grave.allCases.reduce(0) { $0 + (counters[GraveCounter.purged($1).name] ?? 0) }
        let there = try await fixture.census().reduce(0, +)
        #expect(there + purged == accepted, "seed \(random.seed)")
    }
}
