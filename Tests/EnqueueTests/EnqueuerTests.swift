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
