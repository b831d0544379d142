package import Foundation
package import JobModel
import Redis

/// The book of ticks over the present script: overlap is not looked at, and a tick that is passed over
/// is not logged.
extension RedisBroker: TickBook {
    package func newestTicks(
        of entries: [String]
    ) async throws(BrokerError) -> [String: Date] {
        try await lastTicks(of: entries)
    }

    package func begin(_ entries: [String: Date]) async throws(BrokerError) {
        for (entry, date) in entries { try await register([entry], at: date) }
    }

    package func record(
        _ tick: TickRecord, at now: Date
    ) async throws(BrokerError) -> TickOutcome {
        switch tick.action {
        case .enqueue(let message, _, _):
            let isFirst = try await enqueue(message, asTick: tick.dueAt, of: tick.entry)
            return isFirst ? .enqueued : .superseded
        case .pass:
            let newest = try await lastTicks(of: [tick.entry])[tick.entry]
            guard let newest, newest == tick.previous else { return .superseded }
            _ = try await send(
                RedisCommand("HSET", keys.ticks, tick.entry, tick.dueAt.milliseconds))
            return .passed
        }
    }

    package func trigger(
        _ message: OutgoingMessage, of entry: String, at now: Date
    ) async throws(BrokerError) {
        try await enqueue([message])
    }

    package func forget(_ entries: [String]) async throws(BrokerError) {
        guard !entries.isEmpty else { return }
        _ = try await send(RedisCommand("HDEL", [keys.ticks] + entries))
    }
}
