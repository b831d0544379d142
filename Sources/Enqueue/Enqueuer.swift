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
    /// So many jobs of one call are sent at a time.
    static let part = 1024
    /// So many parts are under way at most.
    private static let partsUnderWay = 2
    /// The most messages that one workflow may begin with.
    public static let maximumMembers = CanvasPublisher.maximumMessages

    private let broker: any Broker
    private let rules: CanvasRules
    let time: any TimeSource

    /// An enqueuer over a broker that exists already; `rules` say where jobs go that name no queue.
    package init(
        broker: any Broker, rules: CanvasRules = CanvasRules(), time: any TimeSource = SystemTime()
    ) {
        self.broker = broker
        self.rules = rules
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
        rules = CanvasRules()
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

    /// Enqueues many typed jobs in few round trips; returns their ids in order.
    ///
    /// They are sent in order and in parts, the next part written while the last is under way.
    ///
    /// - Throws: ``EnqueueError``.
    @discardableResult
    public func enqueue<Work: Job>(
        _ job: Work.Type, all payloads: [(Work.Payload, EnqueueOptions)]
    ) async throws(EnqueueError) -> [JobID] {
        var messages: [OutgoingMessage] = []
        messages.reserveCapacity(payloads.count)
        let policy = Work.policy
        var ids = FreshUUIDs(expecting: payloads.count)
        for (payload, options) in payloads {
            let body = try body(of: payload, for: job)
            messages.append(message(Work.name, body, options, policy: policy, ids: &ids))
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
        var ids = FreshUUIDs()
        return try await send([message(name, body, options, policy: nil, ids: &ids)])[0]
    }

    /// Enqueues a job by name once for each of `options`, always with the same arguments; returns their
    /// ids in order.
    ///
    /// - Throws: ``EnqueueError``.
    @discardableResult
    public func enqueue(
        _ name: JobName, args: [JSONValue] = [], kwargs: JSONObject = JSONObject(),
        each options: [EnqueueOptions]
    ) async throws(EnqueueError) -> [JobID] {
        let body = MessageBody(args: args, kwargs: kwargs)
        var ids = FreshUUIDs(expecting: options.count)
        return try await send(
            options.map { message(name, body, $0, policy: nil, ids: &ids) })
    }

    /// Sends a workflow, or a single signature; returns the id under which its result will be.
    ///
    /// Up to ``maximumMembers`` of its tasks may begin at once; many are sent in parts, so that
    /// others get their turn at the server between them. A call that throws may have sent some.
    ///
    /// - Throws: ``EnqueueError`` with code `canvas` when the signature makes no sense.
    @discardableResult
    public func apply(_ signature: Signature) async throws(EnqueueError) -> SentSignature {
        let publisher = CanvasPublisher(rules: rules, now: time.now)
        let publication: Publication
        let sent: SentSignature
        do throws(CanvasError) {
            (publication, sent) = try publisher.publication(of: signature)
        } catch { throw EnqueueError(error) }
        do throws(BrokerError) {
            try await broker.publish(publication)
        } catch { throw EnqueueError(error) }
        return sent
    }

    private func body<Work: Job>(
        of payload: Work.Payload, for job: Work.Type
    ) throws(EnqueueError) -> MessageBody {
        do throws(CanvasError) {
            return MessageBody(args: [], kwargs: try job.keywords(of: payload))
        } catch { throw EnqueueError(error) }
    }

    private func message(
        _ name: JobName, _ body: MessageBody, _ options: EnqueueOptions, policy: JobPolicy?,
        ids: inout FreshUUIDs
    ) -> OutgoingMessage {
        let id = options.id ?? JobID(ids.next())
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
            if messages.count <= Self.part {
                try await broker.enqueue(messages)
            } else {
                try await sendInParts(messages)
            }
        } catch { throw EnqueueError(error) }
        return messages.map(\.id)
    }

    /// Sends part after part, and nothing more after one that failed.
    private func sendInParts(_ messages: [OutgoingMessage]) async throws(BrokerError) {
        let failure = await withTaskGroup(of: BrokerError?.self) { group in
            var failure: BrokerError?
            var underWay = 0
            for start in stride(from: 0, to: messages.count, by: Self.part) {
                if underWay == Self.partsUnderWay {
                    failure = await group.next() ?? nil
                    underWay -= 1
                }
                guard failure == nil else { break }
                let part = Array(messages[start..<min(start + Self.part, messages.count)])
                // It runs here up to its wait for the answer: so parts are sent in their order.
                group.addImmediateTask { [broker] in
                    do throws(BrokerError) {
                        try await broker.enqueue(part)
                        return nil
                    } catch { return error }
                }
                underWay += 1
            }
            for await other in group { failure = failure ?? other }
            return failure
        }
        if let failure { throw failure }
    }
}
