import Broker
import Enqueue
import Foundation
import JobModel
import Logging
import Redis
import TestSupport
import Testing

@Suite("Enqueueing")
struct EnqueuerTests {
    struct Charge: Job {
        struct Payload: Codable, Sendable, Equatable {
            let invoiceID: Int
            var note: String?

            enum CodingKeys: String, CodingKey {
                case invoiceID = "invoice_id"
                case note
            }
        }

        static let name: JobName = "test.charge"
        static let policy = JobPolicy(queue: "money")

        func run(_ payload: Payload, in context: JobContext) async throws -> Verdict { .done }
    }

    struct Bare: Job {
        typealias Payload = Int
        static let name: JobName = "test.bare"

        func run(_ payload: Int, in context: JobContext) async throws -> Verdict { .done }
    }

    struct Fussy: Job {
        struct Payload: Codable, Sendable {
            let number: Int

            struct Refusal: Error {}

            enum CodingKeys: CodingKey { case number }

            func encode(to encoder: any Encoder) throws {
                guard number != 1500 else { throw Refusal() }
                var members = encoder.container(keyedBy: CodingKeys.self)
                try members.encode(number, forKey: .number)
            }
        }

        static let name: JobName = "test.fussy"

        func run(_ payload: Payload, in context: JobContext) async throws -> Verdict { .done }
    }

    private struct Fixture {
        let server: RedisServer
        let raw: RedisConnection
        let enqueuer: Enqueuer

        init() async throws {
            server = try await RedisServer.start()
            raw = try server.connection()
            enqueuer = try Enqueuer(
                redis: server.url, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        func messages(_ list: String) async throws -> [JobMessage] {
            let reply = try await raw.send(RedisCommand("LRANGE", list, 0, -1))
            return try (reply.array ?? []).reversed().compactMap(\.bytes).map {
                try JobMessage(decoding: $0, limits: WireLimits())
            }
        }
    }

    @Test("a typed job lands on its own queue with its payload as keywords")
    func typed() async throws {
        let fixture = try await Fixture()
        let id = try await fixture.enqueuer.enqueue(Charge.self, .init(invoiceID: 7))
        let message = try await fixture.messages("money")[0]
        #expect(message.id == id)
        #expect(message.name == "test.charge")
        #expect(UUID(uuidString: id.text) != nil)
        let body = try message.body(limits: WireLimits())
        #expect(body.args.isEmpty)
        #expect(body.kwargs["invoice_id"] == .number(JSONNumber(7)))
    }

    @Test("options decide id, queue, priority and expiry")
    func options() async throws {
        let fixture = try await Fixture()
        var options = EnqueueOptions.id("fixed")
        options.queue = "other"
        options.priority = Priority(9)
        let expires = Date(timeIntervalSince1970: 2_000_000_000)
        options.expires = expires
        try await fixture.enqueuer.enqueue(Charge.self, .init(invoiceID: 7), options)
        let message = try await fixture.messages("other\u{06}\u{16}9")[0]
        #expect(message.id == JobID("fixed"))
        #expect(message.priority == Priority(9))
        #expect(message.expires == expires)
    }

    @Test("a delayed job is kept aside, by its due time")
    func delayed() async throws {
        let fixture = try await Fixture()
        let before = Date()
        try await fixture.enqueuer.enqueue(
            Charge.self, .init(invoiceID: 7), .after(.seconds(60)))
        #expect(try await fixture.messages("money").isEmpty)
        let reply = try await fixture.raw.send(
            RedisCommand("ZRANGE", "backhaul:delayed", 0, -1, "WITHSCORES"))
        let due = Double(reply.array?.last?.string ?? "0") ?? 0
        #expect(abs(due / 1000 - before.timeIntervalSince1970 - 60) < 5)
    }

    @Test("a batch keeps its order and costs one push for each list")
    func bulk() async throws {
        let fixture = try await Fixture()
        let ids = try await fixture.enqueuer.enqueue(
            Charge.self, all: (0..<1000).map { (.init(invoiceID: $0), EnqueueOptions()) })
        #expect(try await fixture.messages("money").map(\.id) == ids)
        let stats = try await fixture.raw.send(RedisCommand("INFO", "commandstats"))
        #expect(stats.string?.contains("cmdstat_lpush:calls=1,") ?? false)
    }

    @Test("jobs of one batch may differ in everything, and keep their order on each list")
    func mixed() async throws {
        let fixture = try await Fixture()
        var urgent = EnqueueOptions.id("urgent")
        urgent.headers = ["trace": "t"]
        var idle = EnqueueOptions.id("idle")
        idle.priority = Priority(9)
        let rest = (0..<1500).map { _ in EnqueueOptions() }
        let options = [.id("first"), urgent, idle, .after(.seconds(60))] + rest
        let ids = try await fixture.enqueuer.enqueue(
            Charge.self, all: options.enumerated().map { (.init(invoiceID: $0), $1) })
        #expect(ids.count == options.count)
        #expect(Array(ids[..<3]) == [JobID("first"), JobID("urgent"), JobID("idle")])
        #expect(try await fixture.messages("money\u{06}\u{16}9").map(\.id) == [JobID("idle")])
        let messages = try await fixture.messages("money")
        #expect(messages.map(\.id) == Array(ids[..<2] + ids[4...]))
        let invoices = try messages.map {
            try $0.body(limits: WireLimits()).kwargs["invoice_id"]?.intValue
        }
        #expect(invoices == [0, 1] + (4..<options.count).map { $0 })
        let delayed = try await fixture.raw.send(RedisCommand("ZCARD", "backhaul:delayed"))
        #expect(delayed.int == 1)
    }

    @Test("a large batch of one kind keeps its order and the ids that were given")
    func large() async throws {
        let fixture = try await Fixture()
        let ids = try await fixture.enqueuer.enqueue(
            Charge.self,
            all: (0..<2500).map {
                (.init(invoiceID: $0, note: $0 % 3 == 0 ? "n" : nil), .id("job-\($0)"))
            })
        #expect(ids == (0..<2500).map { JobID("job-\($0)") })
        let messages = try await fixture.messages("money")
        #expect(messages.map(\.id) == ids)
        let kwargs = try messages.map { try $0.body(limits: WireLimits()).kwargs }
        #expect(kwargs.map { $0["invoice_id"]?.intValue } == (0..<2500).map { $0 })
        #expect(kwargs.map { $0["note"] == "n" } == (0..<2500).map { $0 % 3 == 0 })
        let stats = try await fixture.raw.send(RedisCommand("INFO", "commandstats"))
        #expect(stats.string?.contains("cmdstat_lpush:calls=3,") ?? false)
    }

    @Test("a payload that cannot be encoded ends the call before its part is sent")
    func unencodable() async throws {
        let fixture = try await Fixture()
        let payloads = (0..<2000).map { (Fussy.Payload(number: $0), EnqueueOptions()) }
        await #expect { try await fixture.enqueuer.enqueue(Fussy.self, all: payloads) } throws: {
            ($0 as? EnqueueError)?.code == .payload
        }
        #expect(try await fixture.messages("celery").count == 1024)
        let last = Array(payloads[1400...1500])
        await #expect { try await fixture.enqueuer.enqueue(Fussy.self, all: last) } throws: {
            ($0 as? EnqueueError)?.code == .payload
        }
        #expect(try await fixture.messages("celery").count == 1024)
    }

    @Test("a job larger than is allowed is refused, and nothing of its part is sent")
    func oversized() async throws {
        let fixture = try await Fixture()
        var options = BrokerOptions(keyPrefix: "")
        options.maximumMessageBytes = 2000
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let enqueuer = Enqueuer(
            broker: try RedisBroker(url: fixture.server.url, options: options, logger: logger))
        let long = String(repeating: "x", count: 2000)
        await #expect {
            try await enqueuer.enqueue(
                Charge.self,
                all: [(.init(invoiceID: 1), .init()), (.init(invoiceID: 2, note: long), .init())])
        } throws: {
            ($0 as? EnqueueError)?.code == .limit
        }
        #expect(try await fixture.messages("money").isEmpty)
    }

    @Test("too many at once, and a payload without names, are refused with a reason")
    func refused() async throws {
        let fixture = try await Fixture()
        let many = Array(
            repeating: (Charge.Payload(invoiceID: 1), EnqueueOptions()),
            count: Enqueuer.maximumBatch + 1)
        await #expect { try await fixture.enqueuer.enqueue(Charge.self, all: many) } throws: {
            ($0 as? EnqueueError)?.code == .limit
        }
        await #expect { try await fixture.enqueuer.enqueue(Bare.self, 7) } throws: {
            ($0 as? EnqueueError)?.code == .payload
        }
    }

    @Test("an address that cannot be used is refused without its password")
    func address() throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        #expect {
            try Enqueuer(redis: "http://user:hunter2@localhost", logger: logger)
        } throws: { error in
            (error as? EnqueueError)?.code == .address && !"\(error)".contains("hunter2")
        }
    }
}
