package import Broker
import Foundation
public import JobModel
public import Logging

/// Puts jobs on queues, for Swift and Python workers alike.
///
/// ```swift
/// let enqueuer = try Enqueuer(redis: "redis://127.0.0.1:6379/0", logger: logger)
/// try await enqueuer.enqueue(ChargeInvoice.self, .init(invoice_id: 7), .after(.seconds(30)))
/// ```
///
/// Safe to share between tasks. A call that throws may have enqueued: give ids of your own to make a
/// repeat recognisable.
public struct Enqueuer: Sendable {
    /// The most jobs in one call.
    public static let maximumBatch = 10_000

    private let broker: any Broker
    private let time: any TimeSource

    /// An enqueuer over a broker that exists already.
    package init(broker: any Broker, time: any TimeSource = SystemTime()) {
        self.broker = broker
        self.time = time
    }

    /// Connects to Redis when first used.
    ///
    /// - Throws: ``EnqueueError`` with code `address` when the URL cannot be used.
    public init(redis url: String, keyPrefix: String = "", logger: Logger) throws(EnqueueError) {
        do throws(BrokerError) {
            broker = try RedisBroker(
                url: url, options: BrokerOptions(keyPrefix: keyPrefix), logger: logger)
        } catch {
            throw EnqueueError(code: .address, message: error.message)
        }
        time = SystemTime()
    }

    /// Enqueues one typed job; returns its id.
    ///
    /// - Throws: ``EnqueueError``.
    @discardableResult
    public func enqueue<Work: Job>(
        _ job: Work.Type, _ payload: Work.Payload, _ options: EnqueueOptions = EnqueueOptions()
    ) async throws(EnqueueError) -> JobID {
        let ids = try await enqueue(job, all: [(payload, options)])
        return ids[0]
    }

    /// Enqueues many typed jobs in one round trip; returns their ids in order.
    ///
    /// - Throws: ``EnqueueError``.
    @discardableResult
    public func enqueue<Work: Job>(
        _ job: Work.Type, all payloads: [(Work.Payload, EnqueueOptions)]
    ) async throws(EnqueueError) -> [JobID] {
        var messages: [OutgoingMessage] = []
        messages.reserveCapacity(payloads.count)
        for (payload, options) in payloads {
            let body = try body(of: payload, for: Work.name)
            messages.append(message(Work.name, body, options, policy: Work.policy))
        }
        return try await send(messages)
    }

    /// Enqueues a job by name, written in any language; returns its id.
    ///
    /// - Throws: ``EnqueueError``.
    @discardableResult
    public func enqueue(
        _ name: JobName, args: [JSONValue] = [], kwargs: JSONObject = JSONObject(),
        _ options: EnqueueOptions = EnqueueOptions()
    ) async throws(EnqueueError) -> JobID {
        let body = MessageBody(args: args, kwargs: kwargs)
        let ids = try await send([message(name, body, options, policy: nil)])
        return ids[0]
    }

    private func body<Payload: Encodable>(
        of payload: Payload, for name: JobName
    ) throws(EnqueueError) -> MessageBody {
        let value: JSONValue
        do {
            value = try JSONValue(encoding: payload)
        } catch {
            throw EnqueueError(
                code: .payload, message: "the payload of \(name) cannot be encoded: \(error)")
        }
        guard case .object(let kwargs) = value else {
            throw EnqueueError(
                code: .payload, message: "the payload of \(name) is not a struct with named fields")
        }
        return MessageBody(args: [], kwargs: kwargs)
    }

    private func message(
        _ name: JobName, _ body: MessageBody, _ options: EnqueueOptions, policy: JobPolicy?
    ) -> OutgoingMessage {
        let id = options.id ?? JobID(UUID().uuidString.lowercased())
        var message = OutgoingMessage(
            id: id, name: name, body: body, queue: options.queue ?? policy?.queue ?? .celery)
        message.priority = options.priority ?? .highest
        message.eta =
            options.at ?? options.delay.map { time.now.addingTimeInterval($0.inSeconds) }
        message.expires = options.expires
        message.softTimeLimit = options.timeLimit
        message.ignoreResult = options.ignoresResult ?? false
        message.headers = options.headers
        return message
    }

    private func send(_ messages: [OutgoingMessage]) async throws(EnqueueError) -> [JobID] {
        guard messages.count <= Self.maximumBatch else {
            throw EnqueueError(
                code: .limit,
                message: "\(messages.count) jobs in one call; at most \(Self.maximumBatch)")
        }
        do throws(BrokerError) {
            try await broker.enqueue(messages)
        } catch {
            let code: EnqueueError.Code =
                switch error.code {
                case .unavailable, .timeout: .unavailable
                case .limit: .limit
                default: .refused
                }
            throw EnqueueError(code: code, message: error.message)
        }
        return messages.map(\.id)
    }
}
