package import JobModel
import Redis

extension RedisBroker {
    /// Encodes a row of an outbox for ``push(_:)``.
    ///
    /// - Throws: ``OversizedItem`` when the message would be larger than any worker reads.
    package func outboxItem(_ message: OutgoingMessage) throws(OversizedItem) -> OutboxPush.Item {
        // One row is one message, so that its id tells deliveries apart as well as a fresh one.
        let bytes = message.encoded(origin: options.origin, deliveryTag: message.id.text)
        guard bytes.count <= options.maximumMessageBytes else {
            throw OversizedItem(bytes: bytes.count, limit: options.maximumMessageBytes)
        }
        return OutboxPush.Item(
            id: message.id, list: keys.list(of: message.queue, step: message.priority.step),
            due: message.eta?.milliseconds ?? 0, message: bytes)
    }

    /// Pushes rows to their queues in one atomic step, leaving out those that were pushed before, and
    /// confirms earlier ones.
    ///
    /// A call that throws may have been carried out: the rows' ids are then known, so that pushing
    /// them again does nothing.
    package func push(_ push: OutboxPush) async throws(BrokerError) -> OutboxPushed {
        let limits = options.outbox
        var lists: [String: Int] = [:]
        var order: [String] = []
        for item in push.items where lists[item.list] == nil {
            order.append(item.list)
            lists[item.list] = order.count
        }
        var call = RedisScriptCall(
            scripts.relay, keys: [keys.outboxPushed, keys.delayed, keys.delayedMessages],
            reserving: push.items.reduce(256) { $0 + $1.message.count + 128 }
                + push.confirmed.count * 48)
        call.append(push.claimedAt)
        call.append(limits.claimLimit.inMilliseconds)
        call.append(limits.inDoubtKept.inMilliseconds)
        call.append(limits.confirmedKept.inMilliseconds)
        call.append(limits.trimmed)
        call.append(push.confirmed.count)
        call.append(order.count)
        call.append(push.items.count)
        for id in push.confirmed { call.append(id.text) }
        for list in order { call.append(list) }
        for item in push.items {
            call.append(item.id.text)
            call.append(lists[item.list] ?? 0)
            call.append(item.due)
            call.append(item.message)
        }
        guard let answer = try await run(call).array, answer.count == 4,
            let time = answer[0].int, let isDone = answer[1].int,
            let repeated = answer[2].array, let unfit = answer[3].array
        else { throw BrokerError.unexpected("relay") }
        // Lua counts from 1.
        return OutboxPushed(
            serverTime: Int64(time), isRefused: isDone == 0,
            repeated: repeated.compactMap(\.int).map { Int($0) - 1 },
            unfit: unfit.compactMap(\.int).map { Int($0) - 1 })
    }
}
