import Foundation
package import JobModel
import Redis

/// What operators look at; workers do not see it.
package protocol BrokerInspection: Sendable {
    /// Entries of a grave, newest first.
    func buried(
        in grave: Grave, offset: Int, limit: Int
    ) async throws(BrokerError) -> BuriedPage

    /// One entry, if it is there.
    func buried(in grave: Grave, entry: String) async throws(BrokerError) -> BuriedMessage?

    /// Puts the message of an entry back on its list, its attempts counted from none; false when the
    /// entry is not there, as after a second call.
    func replay(_ message: BuriedMessage, from grave: Grave) async throws(BrokerError) -> Bool

    /// Messages waiting on each list of a queue, most urgent first.
    func waiting(in queue: QueueName) async throws(BrokerError) -> [Int]

    /// Messages in flight, of Swift and Python workers together.
    func inFlight() async throws(BrokerError) -> Int

    /// Messages that wait for their time.
    func delayed() async throws(BrokerError) -> Int
}

/// A page of a grave.
package struct BuriedPage: Sendable, Equatable {
    package let items: [BuriedMessage]
    package let total: Int
}

extension RedisBroker: BrokerInspection {
    package func buried(
        in grave: Grave, offset: Int, limit: Int
    ) async throws(BrokerError) -> BuriedPage {
        let replies = try await pipeline([
            RedisCommand("ZCARD", keys.graveOrder(grave)),
            RedisCommand("ZREVRANGE", keys.graveOrder(grave), offset, offset + limit - 1),
        ])
        let entries = (replies[1].array ?? []).compactMap(\.string)
        guard !entries.isEmpty else {
            return BuriedPage(items: [], total: Int(replies[0].int ?? 0))
        }
        let records = try await send(RedisCommand("HMGET", [keys.graveEntries(grave)] + entries))
        let items = (records.array ?? []).compactMap { $0.bytes.flatMap(BuriedMessage.init) }
        return BuriedPage(items: items, total: Int(replies[0].int ?? 0))
    }

    package func buried(
        in grave: Grave, entry: String
    ) async throws(BrokerError) -> BuriedMessage? {
        try await record(of: entry, in: grave)?.message
    }

    package func replay(
        _ message: BuriedMessage, from grave: Grave
    ) async throws(BrokerError) -> Bool {
        guard let record = try await record(of: message.entry, in: grave) else { return false }
        return try await replay(record, from: grave) == .done
    }

    package func waiting(in queue: QueueName) async throws(BrokerError) -> [Int] {
        let replies = try await pipeline(keys.lists(of: queue).map { RedisCommand("LLEN", $0) })
        return replies.map { Int($0.int ?? 0) }
    }

    package func inFlight() async throws(BrokerError) -> Int {
        Int(try await send(RedisCommand("HLEN", keys.unacked)).int ?? 0)
    }

    package func delayed() async throws(BrokerError) -> Int {
        Int(try await send(RedisCommand("ZCARD", keys.delayed)).int ?? 0)
    }
}
