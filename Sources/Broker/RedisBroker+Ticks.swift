package import Foundation
package import JobModel
import Redis

extension RedisBroker: TickBook {
    /// How many entries one command names.
    private static let entriesEachCommand = 1000
    /// How many waiting ticks one call lets go.
    private static let releasesEachCall = 1000

    /// What every script about ticks is given, in this order.
    static func bookKeys(_ keys: RedisKeys) -> [String] {
        [keys.runningTicks, keys.waitingTicks, keys.tickLog]
    }

    package func newestTicks(
        of entries: [String]
    ) async throws(BrokerError) -> [String: Date] {
        var ticks: [String: Date] = [:]
        for some in Self.chunks(entries) {
            let reply = try await send(RedisCommand("HMGET", [keys.ticks] + some))
            for (entry, value) in zip(some, reply.array ?? []) {
                ticks[entry] = value.int.map { Date(millisecondsSince1970: $0) }
            }
        }
        return ticks
    }

    package func begin(_ entries: [String: Date]) async throws(BrokerError) {
        for some in Self.chunks(Array(entries)) {
            let replies = try await pipeline(
                some.map {
                    RedisCommand("HSETNX", keys.ticks, $0.key, $0.value.nearestMillisecond)
                })
            for reply in replies {
                if case .error(let error) = reply { throw BrokerError(error) }
            }
        }
    }

    package func record(
        _ tick: TickRecord, at now: Date
    ) async throws(BrokerError) -> TickOutcome {
        var list: [String] = []
        var tail: [any RedisArgument]
        switch tick.action {
        case .pass(let reason): tail = [reason.rawValue]
        case .enqueue(let message, let overlap, let staleAfter):
            let encoded = try encoded(message, at: now)
            list = [encoded.list]
            tail = [
                overlap.rawValue, max(0, staleAfter.inMilliseconds), message.id.text,
                encoded.bytes,
            ]
        }
        let head: [any RedisArgument] = [
            tick.entry, tick.dueAt.nearestMillisecond, tick.previous.nearestMillisecond,
            tick.missed, now.nearestMillisecond, options.maximumTickLog, keys.resultStem,
        ]
        let answer = try await run(
            RedisScriptCall(
                scripts.tick, keys: [keys.ticks] + Self.bookKeys(keys) + list,
                arguments: head + tail))
        switch answer.string {
        case "enqueued": return .enqueued
        case "waiting": return .waiting
        case "overlapped": return .overlapped
        case "passed": return .passed
        case "": return .superseded
        default: throw BrokerError.unexpected("tick")
        }
    }

    package func trigger(
        _ message: OutgoingMessage, of entry: String, at now: Date
    ) async throws(BrokerError) {
        let encoded = try encoded(message, at: now)
        _ = try await run(
            RedisScriptCall(
                scripts.trigger, keys: [encoded.list] + Self.bookKeys(keys),
                arguments: [
                    entry, now.nearestMillisecond, options.maximumTickLog, message.id.text,
                    encoded.bytes,
                ]))
    }

    @discardableResult
    package func releaseWaiting(at now: Date) async throws(BrokerError) -> Int {
        let reply = try await run(
            RedisScriptCall(
                scripts.admit, keys: Self.bookKeys(keys),
                arguments: [
                    now.nearestMillisecond, options.maximumTickLog, keys.resultStem,
                    Self.releasesEachCall,
                ]))
        guard let count = reply.int else { throw BrokerError.unexpected("admit") }
        return count
    }

    package func forget(_ entries: [String]) async throws(BrokerError) {
        for some in Self.chunks(entries) {
            var call = RedisScriptCall(
                scripts.strike, keys: [keys.ticks] + Self.bookKeys(keys))
            call.append(time.now.nearestMillisecond)
            call.append(options.maximumTickLog)
            call.append(contentsOf: some)
            _ = try await run(call)
        }
    }

    private func encoded(
        _ message: OutgoingMessage, at now: Date
    ) throws(BrokerError) -> EncodedMessage {
        do throws(OversizedMessage) {
            return try EncodedMessage(message, broker: self, now: now)
        } catch { throw error.brokerError }
    }

    private static func chunks<Element>(_ all: [Element]) -> [[Element]] {
        stride(from: 0, to: all.count, by: entriesEachCommand).map {
            Array(all[$0..<min($0 + entriesEachCommand, all.count)])
        }
    }
}

extension Date {
    /// Whole milliseconds since 1970, the nearest: a tick that was read back is the same tick.
    var nearestMillisecond: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }

    init(millisecondsSince1970 milliseconds: Int) {
        self.init(timeIntervalSince1970: Double(milliseconds) / 1000)
    }
}
