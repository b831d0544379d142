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
        do throws(RedisError) {
            let reply = try await connection.run(call.scriptCall(self))
            return try call.deliveries(from: reply, at: time.now)
        } catch {
            throw failure(of: call, error)
        }
    }

    package func waiters(for worker: WorkerID, on lists: [ListAddress]) -> [any ListWaiter] {
        lists.map { RedisListWaiter(broker: self, worker: worker, list: $0) }
    }
}

/// A reserve whose answer never came.
struct UnansweredReserve: Sendable {
    /// By then a server that still had the command in a buffer has carried it out.
    static let wait = Duration.seconds(2)

    /// Every tag it may have made.
    let tags: [String]
    let failedAt: Date
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
    let sequence: Int
    let count: Int
    /// Where to take from, and under which name to record it.
    let sources: [(key: String, list: ListAddress)]

    private var tagPrefix: String { "\(worker.text)-\(sequence)-" }

    /// Every tag the call can make.
    var tags: [String] { (1...count).map { "\(tagPrefix)\($0)" } }

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
    ) throws(RedisError) -> [Delivery] {
        guard let items = reply.array, items.count.isMultiple(of: 2) else {
            throw RedisError(.server, "the script `reserve` gave an answer of another shape")
        }
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(items.count / 2)
        for number in 1...max(1, items.count / 2) where items.count > 0 {
            guard let index = items[number * 2 - 2].int, sources.indices.contains(Int(index) - 1),
                let raw = items[number * 2 - 1].bytes
            else {
                throw RedisError(.server, "the script `reserve` gave an answer of another shape")
            }
            let list = sources[Int(index) - 1].list
            deliveries.append(
                Delivery(
                    raw: raw, lease: Lease(tag: "\(tagPrefix)\(number)"), queue: list.queue,
                    step: list.step, reservedAt: now))
        }
        return deliveries
    }
}
