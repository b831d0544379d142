import Foundation
import JobModel
import Redis

/// A batch of settlings sorted by transition: one script call for each kind that occurs.
struct SettleCalls: Sendable {
    private(set) var calls: [RedisScriptCall] = []
    /// For each call, the positions in the batch that its answers belong to.
    private var positions: [[Int]] = []
    private let size: Int
    /// Room for the arguments of an acknowledgement without a result.
    private static let bytesEach = 80

    init(_ batch: [Settling], broker: RedisBroker) {
        size = batch.count
        let keys = broker.keys
        let inFlight = [keys.unacked, keys.unackedIndex]
        let ttl = broker.options.secondsKept(nil)
        let scripts = broker.scripts
        var acknowledged = Call(
            scripts.acknowledge, inFlight, [ttl], reserving: batch.count * Self.bytesEach)
        var retried = Call(
            scripts.retry, inFlight + [keys.delayed, keys.delayedMessages], [ttl])
        var released = Call(scripts.release, inFlight, [])
        var buried: [Grave: Call] = [:]
        for grave in Grave.allCases {
            buried[grave] = Call(
                scripts.bury,
                inFlight + [keys.graveOrder(grave), keys.graveEntries(grave), keys.counters],
                [
                    broker.options.secondsKept(.failure), broker.options.maximum(grave),
                    "\(grave.rawValue).dropped",
                ])
        }
        for (position, settling) in batch.enumerated() {
            let lease = settling.delivery.lease
            switch settling.transition {
            case .acknowledge:
                acknowledged.add(position) { call in
                    call.append(lease)
                    call.append(settling.result, keys)
                }
            case .retry(let message, let date):
                let list = keys.list(of: settling.delivery)
                retried.add(position) { call in
                    call.append(lease)
                    call.append(date?.milliseconds ?? 0)
                    call.append(list)
                    call.append(message)
                    // Only those that wait are looked for by their ids.
                    call.append(
                        date == nil ? "" : EncodedMessage.member(again: message, tag: lease.tag))
                    call.append(settling.result, keys)
                }
            case .bury(let grave, let record):
                buried[grave]?.add(position) { call in
                    call.append(lease)
                    call.append(record.entry)
                    call.append(record.buriedAt.milliseconds)
                    call.append(record.encoded())
                    call.append(settling.result, keys)
                }
            case .release: continue
            }
        }
        // Put back last first: the list is read from the end that RPUSH writes.
        for (position, settling) in batch.enumerated().reversed() {
            guard case .release = settling.transition else { continue }
            released.add(position) { call in
                call.append(settling.delivery.lease)
                call.append(keys.list(of: settling.delivery))
                call.append(settling.delivery.raw)
            }
        }
        for call in [acknowledged, retried, released] + Grave.allCases.compactMap({ buried[$0] })
        where !call.positions.isEmpty {
            calls.append(call.call)
            positions.append(call.positions)
        }
    }

    /// The answers, in the order of the batch; those of a script that failed are `refused`.
    func settlements(from replies: [RedisValue]) throws(BrokerError) -> [Settlement] {
        var settlements = [Settlement](repeating: .refused, count: size)
        for (reply, positions) in zip(replies, positions) {
            if case .error = reply { continue }
            if case .integer(let count) = reply, count == positions.count {
                for position in positions { settlements[position] = .settled }
                continue
            }
            guard let answers = reply.array, answers.count == positions.count else {
                throw BrokerError.unexpected("settle")
            }
            for (answer, position) in zip(answers, positions) {
                settlements[position] = answer.int == 1 ? .settled : .leaseLost
            }
        }
        return settlements
    }

    private struct Call {
        var call: RedisScriptCall
        var positions: [Int] = []

        init(
            _ script: RedisScript, _ keys: [String], _ head: [any RedisArgument],
            reserving bytes: Int = 0
        ) {
            call = RedisScriptCall(script, keys: keys, arguments: head, reserving: bytes)
        }

        mutating func add(_ position: Int, _ write: (inout RedisScriptCall) -> Void) {
            positions.append(position)
            write(&call)
        }
    }
}

extension RedisKeys {
    /// The list a delivery came from.
    func list(of delivery: Delivery) -> String {
        list(of: delivery.queue, step: delivery.step)
    }
}

extension RedisScriptCall {
    /// The tag of a lease, without making a string of it.
    fileprivate mutating func append(_ lease: Lease) {
        guard let number = lease.number else { return append(lease.prefix) }
        append(lease.prefix, followedBy: number)
    }

    /// The last two arguments of a settling: key and record, both empty when nothing is stored.
    fileprivate mutating func append(_ result: ResultRecord?, _ keys: RedisKeys) {
        guard let result else {
            append("")
            return append("")
        }
        append(keys.resultStem, followedBy: result.id.text)
        append(result.encoded())
    }
}
