import Foundation
package import JobModel
import Redis

extension RedisBroker {
    /// How long an answer waits that nobody fetches, seconds; clients wait for a minute at most.
    private static let replyKept = 60
    /// The most reply queues that one routing key names; kombu binds one.
    private static let maximumReplyQueues = 16

    package func controlInbox() -> any ControlInbox { RedisControlInbox(broker: self) }

    /// Puts an answer on its queue if that is still there; returns whether it was.
    @discardableResult
    package func send(_ reply: ControlReply) async throws(BrokerError) -> Bool {
        let binding = keys.binding(of: reply.address.exchange)
        let members = try await send(RedisCommand("SMEMBERS", binding)).array ?? []
        let bound = members.compactMap(\.string).compactMap { member in
            keys.queueKey(bound: member, to: reply.address.routingKey).map { (member, $0) }
        }.prefix(Self.maximumReplyQueues)
        guard !bound.isEmpty else { return false }
        var call = RedisScriptCall(scripts.reply, keys: [binding] + bound.map(\.1))
        call.append(Self.replyKept)
        call.append(reply.encoded(deliveryTag: UUID().uuidString.lowercased()))
        call.append(contentsOf: bound.map(\.0))
        return try await run(call).int ?? 0 > 0
    }

    /// The messages that wait for their time, the next ones first.
    package func delayedMessages(limit: Int) async throws(BrokerError) -> [DelayedMessage] {
        let reply =
            try await send(
                RedisCommand("ZRANGE", keys.delayed, 0, limit - 1, "WITHSCORES")
            ).array ?? []
        var members: [(name: [UInt8], dueAt: Date)] = []
        for place in stride(from: 0, to: reply.count - 1, by: 2) {
            guard let name = reply[place].bytes, let score = reply[place + 1].string,
                let milliseconds = Double(score)
            else { continue }
            members.append((name, Date(timeIntervalSince1970: milliseconds / 1000)))
        }
        guard !members.isEmpty else { return [] }
        var command = RedisCommand("HMGET", reserving: members.count * 48)
        command.append(keys.delayedMessages)
        for member in members { command.append(member.name) }
        let records = try await send(command).array ?? []
        return zip(members, records).compactMap { member, record in
            guard let bytes = record.bytes, let line = bytes.firstIndex(of: UInt8(ascii: "\n"))
            else { return nil }
            let list = String(decoding: bytes[..<line], as: UTF8.self)
            return DelayedMessage(
                raw: Array(bytes[(line + 1)...]), queue: keys.queueName(ofList: list),
                dueAt: member.dueAt)
        }
    }
}

/// Hears the channel that kombu calls the pidbox.
final class RedisControlInbox: ControlInbox {
    private let subscription: RedisSubscription

    init(broker: RedisBroker) {
        var connecting = broker.options.redis
        connecting.clientName = "backhaul-control"
        subscription = RedisSubscription(
            address: broker.address,
            patterns: [broker.keys.controlPattern(database: broker.address.database)],
            options: connecting, logger: broker.logger)
    }

    func next() async -> [UInt8]? { await subscription.next()?.payload }

    var dropped: Int { subscription.dropped }

    func close() async { await subscription.close() }
}
