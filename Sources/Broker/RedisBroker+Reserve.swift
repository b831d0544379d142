import Foundation
package import JobModel
import Redis

extension RedisBroker {
    package func reserve(
        upTo count: Int, for worker: WorkerID, from lists: [ListAddress]
    ) async throws(BrokerError) -> [Delivery] {
        let call = ReserveCall(
            worker: worker, sequence: sequence.next(), count: count,
            sources: lists.map { (keys.list(of: $0.queue, step: $0.step), $0) })
        let reply = try await run(call.scriptCall(self))
        return try call.deliveries(from: reply, at: time.now)
    }

    package func waiters(for worker: WorkerID, on lists: [ListAddress]) -> [any ListWaiter] {
        lists.map { RedisListWaiter(broker: self, worker: worker, list: $0) }
    }
}

/// One call of the reserve script: its keys and arguments, and the meaning of its reply.
struct ReserveCall: Sendable {
    let worker: WorkerID
    let sequence: Int
    let count: Int
    /// Where to take from, and under which name to record it.
    let sources: [(key: String, list: ListAddress)]

    private var tagPrefix: String { "\(worker.text)-\(sequence)-" }

    func scriptCall(_ broker: RedisBroker) -> RedisScriptCall {
        let keys = [broker.keys.unacked, broker.keys.unackedIndex] + sources.map(\.key)
        var call = RedisScriptCall(broker.scripts.reserve, keys: keys, reserving: 64 * keys.count)
        call.append(count)
        call.append(broker.options.reserveBytes)
        call.append(tagPrefix)
        for source in sources { call.append(InFlightRecord.ending(for: source.list.queue)) }
        return call
    }

    func deliveries(
        from reply: RedisValue, at now: Date
    ) throws(BrokerError) -> [Delivery] {
        guard let items = reply.array, items.count.isMultiple(of: 2) else {
            throw BrokerError.unexpected("reserve")
        }
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(items.count / 2)
        for number in 1...max(1, items.count / 2) where items.count > 0 {
            guard let index = items[number * 2 - 2].int, sources.indices.contains(Int(index) - 1),
                let raw = items[number * 2 - 1].bytes
            else { throw BrokerError.unexpected("reserve") }
            let list = sources[Int(index) - 1].list
            deliveries.append(
                Delivery(
                    raw: raw, lease: Lease(tag: "\(tagPrefix)\(number)"), queue: list.queue,
                    step: list.step, reservedAt: now))
        }
        return deliveries
    }
}
