package import Broker
package import JobModel
import Logging
package import Redis

/// A private Redis with the queues on it, and what a test wants to see of them.
package struct QueueServer: Sendable {
    package let redis: RedisServer
    package let broker: RedisBroker
    package let raw: RedisConnection
    private let keys = RedisKeys()

    /// Starts a server; `arguments` are further options of redis-server.
    package init(arguments: [String] = []) async throws {
        redis = try await RedisServer.start(arguments: arguments)
        broker = try RedisBroker(url: redis.url, options: BrokerOptions(), logger: .silent)
        raw = try redis.connection()
    }

    /// The address of the server.
    package var url: String { redis.url }

    /// The messages that wait in a queue, in the order in which they are taken.
    package func messages(in queue: QueueName) async throws -> [JobMessage] {
        var messages: [JobMessage] = []
        for list in keys.lists(of: queue) {
            let reply = try await raw.send(RedisCommand("LRANGE", list, 0, -1))
            messages += try (reply.array ?? []).reversed().compactMap(\.bytes).map {
                try JobMessage(decoding: $0, limits: WireLimits())
            }
        }
        return messages
    }

    /// How many messages wait in a queue.
    package func waiting(in queue: QueueName) async throws -> Int {
        try await broker.waiting(in: queue).reduce(0, +)
    }

    /// How many connections wait in a blocking command.
    package func blockedClients() async throws -> Int {
        let info = try await raw.send(RedisCommand("INFO", "clients")).string ?? ""
        let line = info.split(whereSeparator: \.isNewline).first {
            $0.hasPrefix("blocked_clients:")
        }
        return line.flatMap { Int($0.drop { $0 != ":" }.dropFirst()) } ?? 0
    }

    /// How many messages a process holds, by its number in their tags.
    package func held(by pid: Int32) async throws -> Int {
        let tags = try await raw.send(RedisCommand("HKEYS", keys.unacked)).array ?? []
        return tags.compactMap(\.string).count { $0.contains(".\(pid).") }
    }

    /// How many of these jobs have a result.
    package func resultCount(of ids: [JobID]) async throws -> Int {
        let reply = try await raw.send(RedisCommand("EXISTS", ids.map { keys.result(of: $0) }))
        return reply.int ?? 0
    }

    /// The status that `AsyncResult` would see, for each job; nil for none.
    package func states(of ids: [JobID]) async throws -> [String?] {
        let reply = try await raw.send(RedisCommand("MGET", ids.map { keys.result(of: $0) }))
        return try (reply.array ?? []).map { record in
            guard let bytes = record.bytes else { return nil }
            return try JSONValue(parsing: bytes)["status"]?.stringValue
        }
    }
}
