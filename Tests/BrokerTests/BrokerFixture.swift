import Foundation
import JobModel
import Logging
import Redis
import TestSupport

@testable import Broker

/// A private Redis, a broker on it, and words for what tests say.
struct BrokerFixture {
    static let mail: QueueName = "mail"

    let server: RedisServer
    let broker: RedisBroker
    let raw: RedisConnection
    let worker = WorkerID(host: "test", processID: 1, random: 7)

    init(
        arguments: [String] = [], _ change: (inout BrokerOptions) -> Void = { _ in }
    ) async throws {
        server = try await RedisServer.start(arguments: arguments)
        var options = BrokerOptions()
        options.reclaimGrace = .zero
        change(&options)
        broker = try RedisBroker(
            url: server.url, options: options,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        raw = try server.connection()
    }

    /// Enqueues messages with ids `m1`, `m2`, ….
    func enqueue(_ count: Int, priority: Int = 0, in queue: QueueName = Self.mail) async throws {
        try await broker.enqueue(
            (0..<count).map { number in message("m\(number + 1)", priority: priority, in: queue) })
    }

    func message(
        _ id: String, priority: Int = 0, in queue: QueueName = Self.mail, eta: Date? = nil
    ) -> OutgoingMessage {
        var message = OutgoingMessage(
            id: JobID(id), name: "test.job", body: MessageBody(args: [], kwargs: JSONObject()),
            queue: queue)
        message.priority = Priority(priority)
        message.eta = eta
        return message
    }

    func reserve(
        _ count: Int, as worker: WorkerID? = nil, from queues: [QueueName] = [Self.mail]
    ) async throws -> [Delivery] {
        try await broker.reserve(
            upTo: count, for: worker ?? self.worker, from: lists(of: queues))
    }

    func lists(of queues: [QueueName]) -> [ListAddress] {
        Priority.steps.indices.flatMap { step in
            queues.map { ListAddress(queue: $0, step: step) }
        }
    }

    func ids(_ deliveries: [Delivery]) throws -> [String] {
        try deliveries.map { try JobMessage(decoding: $0.raw, limits: WireLimits()).id.text }
    }

    func length(_ key: String) async throws -> Int? {
        let reply = try await raw.send(RedisCommand("LLEN", key))
        return reply.int
    }

    /// Everything is somewhere: waiting, in flight, delayed, dead and quarantined.
    func census() async throws -> [Int] {
        let waiting = try await broker.waiting(in: Self.mail).reduce(0, +)
        let dead = try await broker.buried(in: .dead, offset: 0, limit: 1).total
        let quarantined = try await broker.buried(in: .quarantine, offset: 0, limit: 1).total
        return [
            waiting, try await broker.inFlight(), try await broker.delayed(), dead, quarantined,
        ]
    }

    func settle(_ delivery: Delivery, _ transition: Transition) async throws -> Settlement {
        try await broker.settle([Settling(delivery: delivery, transition: transition)])[0]
    }

    func presence(of worker: WorkerID) -> WorkerPresence {
        WorkerPresence(
            worker: worker, host: "test", processID: 1, queues: [Self.mail], concurrency: 1,
            startedAt: Date(timeIntervalSince1970: 0), version: "test")
    }

    func buried(_ delivery: Delivery) -> BuriedMessage {
        BuriedMessage(
            delivery, id: nil, name: nil,
            because: FailureReport(code: "test", type: "Test", message: "because"), attempts: 1,
            history: [], at: Date(timeIntervalSince1970: 1))
    }
}
