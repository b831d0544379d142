package import Foundation
package import JobModel
import Redis

extension RedisBroker: TickLedger {
    package func lastTicks(
        of entries: [String]
    ) async throws(BrokerError) -> [String: Date] {
        guard !entries.isEmpty else { return [:] }
        let reply = try await send(RedisCommand("HMGET", [keys.ticks] + entries))
        var ticks: [String: Date] = [:]
        for (entry, value) in zip(entries, reply.array ?? []) {
            guard let milliseconds = value.int else { continue }
            ticks[entry] = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        }
        return ticks
    }

    package func register(
        _ entries: [String], at now: Date
    ) async throws(BrokerError) {
        let replies = try await pipeline(
            entries.map { RedisCommand("HSETNX", keys.ticks, $0, now.milliseconds) })
        for reply in replies {
            if case .error(let error) = reply { throw BrokerError(error) }
        }
    }

    package func enqueue(
        _ message: OutgoingMessage, asTick dueAt: Date, of entry: String
    ) async throws(BrokerError) -> Bool {
        let payload = message.encoded(
            origin: options.origin, deliveryTag: UUID().uuidString.lowercased())
        var call = RedisScriptCall(
            scripts.tick,
            keys: [keys.ticks, keys.list(of: message.queue, step: message.priority.step)])
        call.append(entry)
        call.append(dueAt.milliseconds)
        call.append(payload)
        return try await run(call).int == 1
    }
}
