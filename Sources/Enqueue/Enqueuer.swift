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
        let body = try body(of: payload, for: job)
        var ids = FreshUUIDs()
        let message = message(Work.name, body, options, policy: Work.policy, ids: &ids)
        try await send(.messages([message]))
        return message.id
    }

    /// Enqueues many typed jobs in few round trips; returns their ids in order.
    ///
    /// They are sent in order and in parts, the next one written while the last is under way. A payload
    /// that cannot be encoded ends the call: nothing of its part is sent, and nothing after it.
    ///
    /// - Throws: ``EnqueueError``.
    @discardableResult
    public func enqueue<Work: Job>(
        _ job: Work.Type, all payloads: [(Work.Payload, EnqueueOptions)]
    ) async throws(EnqueueError) -> [JobID] {
        try checkCount(payloads.count)
        let keywords = KeywordsWriter(for: Work.Payload.self)
        var ids = FreshUUIDs(expecting: payloads.count)
        var sent: [JobID] = []
        sent.reserveCapacity(payloads.count)
        try await send(payloads.count) { places throws(EnqueueError) in
            let part = try part(job, payloads[places], ids: &ids, keywords)
            sent.append(contentsOf: part.ids)
            return part
        }
        return sent
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
        let message = message(name, body, options, policy: nil, ids: &ids)
        try await send(.messages([message]))
        return message.id
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
        try checkCount(options.count)
        let body = MessageBody(args: args, kwargs: kwargs)
        var ids = FreshUUIDs(expecting: options.count)
        let messages = options.map { message(name, body, $0, policy: nil, ids: &ids) }
        try await send(messages.count) { .messages(Array(messages[$0])) }
        return messages.map(\.id)
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

    /// One series when all that was decided about these jobs is the same but for their ids, as usual.
    private func part<Work: Job>(
        _ job: Work.Type, _ payloads: ArraySlice<(Work.Payload, EnqueueOptions)>,
        ids: inout FreshUUIDs, _ keywords: KeywordsWriter
    ) throws(EnqueueError) -> BatchPart {
        let shared = payloads[payloads.startIndex].1
        guard shared.delay == nil, shared.at == nil else {
            return .messages(try messages(job, payloads, ids: &ids))
        }
        let nothing = MessageBody(args: [], kwargs: JSONObject())
        let pattern = message(Work.name, nothing, shared, policy: Work.policy, ids: &ids)
        var series = MessageSeries(like: pattern, expecting: payloads.count)
        for (payload, options) in payloads {
            guard options.differsByIDOnly(from: shared) else {
                return .messages(try messages(job, payloads, ids: &ids))
            }
            do throws(CanvasError) {
                try job.write(payload, to: keywords)
            } catch { throw EnqueueError(error) }
            series.append(options.id ?? JobID(ids.next()), keywords)
        }
        return .series(series)
    }

    private func messages<Work: Job>(
        _ job: Work.Type, _ payloads: ArraySlice<(Work.Payload, EnqueueOptions)>,
        ids: inout FreshUUIDs
    ) throws(EnqueueError) -> [OutgoingMessage] {
        let policy = Work.policy
        var messages: [OutgoingMessage] = []
        messages.reserveCapacity(payloads.count)
        for (payload, options) in payloads {
            let body = try body(of: payload, for: job)
            messages.append(message(Work.name, body, options, policy: policy, ids: &ids))
        }
        return messages
    }

    private func checkCount(_ count: Int) throws(EnqueueError) {
        guard count <= Self.maximumBatch else {
            throw EnqueueError(
                code: .limit, message: "\(count) jobs in one call; at most \(Self.maximumBatch)")
        }
    }

    private func send(_ part: BatchPart) async throws(EnqueueError) {
        do throws(BrokerError) {
            try await part.send(over: broker)
        } catch { throw EnqueueError(error) }
    }

    /// Sends `count` jobs part after part, each made when its turn comes, and nothing more after one
    /// that failed.
    private func send(
        _ count: Int, by makePart: (Range<Int>) throws(EnqueueError) -> BatchPart
    ) async throws(EnqueueError) {
        guard count > Self.part else {
            if count > 0 { try await send(try makePart(0..<count)) }
            return
        }
        let failure = await withTaskGroup(of: EnqueueError?.self) { group in
            var failure: EnqueueError?
            var underWay = 0
            for start in stride(from: 0, to: count, by: Self.part) {
                let part: BatchPart
                do throws(EnqueueError) {
                    part = try makePart(start..<min(start + Self.part, count))
                } catch {
                    failure = error
                    break
                }
                if underWay == Self.partsUnderWay {
                    failure = await group.next() ?? nil
                    underWay -= 1
                }
                guard failure == nil else { break }
                // It runs here up to its wait for the answer: so parts are sent in their order.
                group.addImmediateTask {
                    do throws(EnqueueError) {
                        try await send(part)
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
