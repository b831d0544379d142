import Foundation
import JobModel
import Logging
import Redis
import TestSupport

@testable import Broker

/// A private Redis on which canvases are sent and their jobs ended, as a worker does.
struct ChordFixture {
    let base: BrokerFixture
    var broker: RedisBroker { base.broker }

    init(_ change: (inout BrokerOptions) -> Void = { _ in }) async throws {
        base = try await BrokerFixture { options in
            options.canvas.defaultQueue = BrokerFixture.mail
            change(&options)
        }
    }

    /// Another process on the same Redis.
    func another(_ change: (inout BrokerOptions) -> Void = { _ in }) throws -> RedisBroker {
        var options = BrokerOptions()
        options.reclaimGrace = .zero
        options.canvas.defaultQueue = BrokerFixture.mail
        change(&options)
        return try RedisBroker(
            url: base.server.url, options: options,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    var publisher: CanvasPublisher {
        CanvasPublisher(rules: broker.options.canvas, now: Date())
    }

    @discardableResult
    func send(_ signature: Signature) async throws -> SentSignature {
        let (publication, sent) = try publisher.publication(of: signature)
        try await broker.publish(publication)
        return sent
    }

    /// A member of a header, named by its id.
    static func member(_ id: String) -> Signature {
        Signature("test.member", options: ["task_id": .string(id)])
    }

    /// The body that every test sends.
    static let body = Signature("test.body", options: ["task_id": "body"])

    // MARK: Ending jobs

    /// What a worker settles after success.
    func success(_ delivery: Delivery, _ value: JSONValue) throws -> Settling {
        let (message, task) = try parts(of: delivery)
        let canvas = try task.map {
            try CanvasPublisher(rules: broker.options.canvas, task: $0, now: Date())
                .conclusion(ofSuccess: value, of: $0)
        }
        return Settling(
            delivery: delivery, transition: .acknowledge,
            result: .success(value, of: message, at: Date()), aftermath: canvas?.aftermath)
    }

    /// What a worker settles after the last failure.
    func failure(_ delivery: Delivery, _ text: String = "boom") throws -> Settling {
        let (message, task) = try parts(of: delivery)
        let report = FailureReport(
            code: "test", type: "Test", message: text, pythonType: .valueError)
        let canvas = task.map {
            CanvasPublisher(rules: broker.options.canvas, task: $0, now: Date())
                .conclusion(
                    ofFailure: ResultRecord.exception(report, name: message.name.text),
                    traceback: nil, of: $0, at: Date())
        }
        let buried = BuriedMessage(
            delivery, id: message.id, name: message.name, because: report, attempts: 1,
            history: [], at: Date())
        return Settling(
            delivery: delivery, transition: .bury(in: .dead, buried),
            result: .failure(report, of: message, at: Date()), aftermath: canvas?.aftermath)
    }

    private func parts(of delivery: Delivery) throws -> (JobMessage, CanvasTask?) {
        let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        return (message, try CanvasTask(message, try message.body(limits: WireLimits())))
    }

    /// Takes one message, whichever it is.
    func take(_ count: Int = 1, as worker: WorkerID? = nil) async throws -> [Delivery] {
        try await base.reserve(count, as: worker)
    }

    /// The arguments of the body that waits; nil when none does, and none is left.
    func takeBody() async throws -> JSONValue? {
        guard let delivery = try await take().first else { return nil }
        let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        guard message.id.text == "body" else { return nil }
        return .array(try message.body(limits: WireLimits()).args)
    }

    // MARK: Looking

    func int(_ command: String, _ arguments: any RedisArgument...) async throws -> Int? {
        try await base.raw.send(RedisCommand(command, arguments)).int
    }

    func record(of id: String) async throws -> JSONValue? {
        let reply = try await base.raw.send(RedisCommand("GET", "celery-task-meta-\(id)"))
        return try reply.bytes.map { try JSONValue(parsing: $0) }
    }

    /// Every key with its value, so that two looks can be compared.
    func everything() async throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for key in try await keys() {
            found[key] = try await base.raw.send(RedisCommand("DUMP", key)).bytes
        }
        return found
    }

    func keys() async throws -> [String] {
        let reply = try await base.raw.send(RedisCommand("KEYS", "*"))
        return (reply.array ?? []).compactMap(\.string).sorted()
    }

    /// Ends what is left to the next round of maintenance, failures among it.
    func tend() async throws { _ = try await broker.tendChords(limit: 100) }

    /// Keys that live for ever and that nobody is there to remove.
    func keysWithoutEnd() async throws -> [String] {
        let owned = Set(broker.keys.types.map(\.key)).union(["backhaul:staging"])
        var found: [String] = []
        for key in try await keys() where !owned.contains(key) {
            let isQueue = broker.keys.lists(of: BrokerFixture.mail).contains(key)
            if !isQueue, try await int("TTL", key) == -1 { found.append(key) }
        }
        return found
    }
}
