import Foundation
package import JobModel
import Mailbox
import Redis

extension RedisBroker {
    package func reserve(
        upTo count: Int, for worker: WorkerID, from lists: [ListAddress]
    ) async throws(BrokerError) -> [Delivery] {
        let call = ReserveCall(
            worker: worker, sequence: sequence.next(), count: count,
            sources: lists.map { (keys.list(of: $0.queue, step: $0.step), $0) })
        if options.weakened.reserve { return try await reserveInTwoSteps(call) }
        do throws(RedisError) {
            let reply = try await connection.run(call.scriptCall(self))
            return try call.deliveries(from: reply, at: time.now)
        } catch {
            throw failure(of: call, error)
        }
    }

    /// What kombu does, for the negative control of the fault suite: a kill between the steps loses
    /// what was popped.
    private func reserveInTwoSteps(_ call: ReserveCall) async throws(BrokerError) -> [Delivery] {
        var deliveries: [Delivery] = []
        for source in call.sources where deliveries.count < call.count {
            let popped = try await send(
                RedisCommand("RPOP", source.key, call.count - deliveries.count))
            let messages = (popped.array ?? []).compactMap(\.bytes)
            for (raw, tag) in zip(messages, call.tags.dropFirst(deliveries.count)) {
                deliveries.append(
                    Delivery(
                        raw: raw, lease: Lease(tag: tag), queue: source.list.queue,
                        step: source.list.step, reservedAt: time.now))
            }
        }
        let now = Int(time.now.timeIntervalSince1970)
        let records = deliveries.flatMap { delivery in
            let ending = Array(InFlightRecord.ending(for: delivery.queue).utf8)
            return [
                RedisCommand(
                    "HSET", keys.unacked, delivery.lease.tag,
                    [UInt8(ascii: "[")] + delivery.raw + ending),
                RedisCommand("ZADD", keys.unackedIndex, now, delivery.lease.tag),
            ]
        }
        _ = try await pipeline(records)
        return deliveries
    }

    package func waiters(for worker: WorkerID, on lists: [ListAddress]) -> [any ListWaiter] {
        lists.map { RedisListWaiter(broker: self, worker: worker, list: $0) }
    }
}

/// A reserve whose answer never came.
struct UnansweredReserve: Sendable {
    /// When its tags are looked for, counted from the failure: by the first a server that had the
    /// command in a buffer has carried it out; later ones are for a network that held it back.
    static let looks: [Duration] = [.seconds(2), .seconds(15), .seconds(60), .seconds(300)]

    /// Every tag it may have made.
    let tags: [String]
    let failedAt: Date
    /// How often they were looked for.
    var looked = 0

    /// Whether it is time for the next look.
    func isDue(at now: Date) -> Bool {
        now.timeIntervalSince(failedAt) >= Self.looks[looked].inSeconds
    }
}

extension RedisBroker {
    /// The most unanswered reserves that are remembered; beyond, the oldest waits for the visibility
    /// timeout.
    private static let maximumUnanswered = 1024

    /// The error of a reserve, remembered when it may have taken messages all the same.
    func failure(of call: ReserveCall, _ error: RedisError) -> BrokerError {
        if error.mayHaveBeenExecuted {
            let lost = UnansweredReserve(tags: call.tags, failedAt: time.now)
            unanswered.withLock { $0 = $0.suffix(Self.maximumUnanswered - 1) + [lost] }
        }
        return BrokerError(error)
    }
}

/// One call of the reserve script: its keys and arguments, and the meaning of its reply.
struct ReserveCall: Sendable {
    let worker: WorkerID
    let count: Int
    /// Where to take from, and under which name to record it.
    let sources: [(key: String, list: ListAddress)]

    /// What its tags begin with.
    let prefix: String

    init(
        worker: WorkerID, sequence: Int, count: Int, sources: [(key: String, list: ListAddress)]
    ) {
        self.worker = worker
        self.count = count
        self.sources = sources
        prefix = "\(worker.text)-\(sequence)-"
    }

    /// Every tag the call can make.
    var tags: [String] { (1...count).map { "\(prefix)\($0)" } }

    func scriptCall(_ broker: RedisBroker) -> RedisScriptCall {
        let keys =
            [
                broker.keys.unacked, broker.keys.unackedIndex, broker.keys.fence,
                broker.keys.workers,
            ] + sources.map(\.key)
        var call = RedisScriptCall(broker.scripts.reserve, keys: keys, reserving: 64 * keys.count)
        call.append(count)
        call.append(broker.options.reserveBytes)
        call.append(prefix)
        call.append(worker.text)
        call.append(Int(broker.options.lease.inMilliseconds))
        for source in sources { call.append(InFlightRecord.ending(for: source.list.queue)) }
        return call
    }

    func deliveries(
        from reply: RedisValue, at now: Date
    ) throws(RedisError) -> [Delivery] {
        let shape = RedisError(.server, "the script `reserve` gave an answer of another shape")
        guard let items = reply.array else { throw shape }
        guard !items.isEmpty else { return [] }
        guard let fence = items[0].int, !items.count.isMultiple(of: 2) else { throw shape }
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(items.count / 2)
        for number in 1...max(1, items.count / 2) where items.count > 1 {
            guard let index = items[number * 2 - 1].int, sources.indices.contains(Int(index) - 1),
                let raw = items[number * 2].bytes
            else { throw shape }
            let list = sources[Int(index) - 1].list
            deliveries.append(
                Delivery(
                    raw: raw,
                    lease: Lease(
                        number, of: prefix, fence: Fence(Int64(fence) + Int64(number))),
                    queue: list.queue, step: list.step, reservedAt: now))
        }
        return deliveries
    }
}
