import Broker
import Foundation
import JobModel
import Redis

/// What Redis says of itself and lets this user do: gathered once, judged by ``RedisJudge``.
struct RedisFacts: Sendable {
    var info = RedisInfo("")
    /// Settings by name, as far as `CONFIG GET` is allowed.
    var config: [String: String] = [:]
    /// `TIME` against this machine's clock at about the same moment, seconds; positive is ahead.
    var clockDifference: TimeInterval?
    /// What it refuses of what workers do, by its own words.
    var refusals: Result<[String], BrokerError> = .success([])
    /// Keys that hold something else than they must.
    var mistyped: Result<[MistypedKey], BrokerError> = .success([])

    /// The settings of the server that are judged.
    private static let configNames = [
        "save", "appendfsync", "stop-writes-on-bgsave-error", "min-replicas-to-write", "maxclients",
    ]

    /// Asks a server that was reached; what it does not allow is left out.
    ///
    /// - Throws: when the server cannot be reached, or is not ready to answer (`LOADING`).
    static func gather(
        _ connection: RedisConnection, _ broker: RedisBroker, queues: [QueueName],
        time: any TimeSource, timeout: Duration
    ) async throws(RedisError) -> RedisFacts {
        do throws(RedisError) {
            _ = try await connection.send(RedisCommand("PING"), timeout: timeout)
        } catch  where error.serverCode == "NOPERM" {}  // it answers: that is what was asked
        var facts = RedisFacts()
        let before = time.now
        let commands =
            [RedisCommand("TIME"), RedisCommand("INFO")]
            + configNames.map { RedisCommand("CONFIG", "GET", $0) }
        let replies = try await connection.pipeline(commands)
        let between = before.addingTimeInterval(time.now.timeIntervalSince(before) / 2)
        let clock = (replies[0].array ?? []).compactMap { $0.string.flatMap(Double.init) }
        if clock.count == 2 {
            facts.clockDifference = clock[0] + clock[1] / 1e6 - between.timeIntervalSince1970
        }
        facts.info = RedisInfo(replies[1].string ?? "")
        for (name, reply) in zip(configNames, replies.dropFirst(2)) {
            facts.config[name] = reply.array?.last?.string
        }
        do throws(BrokerError) { facts.refusals = .success(try await broker.refusals()) } catch {
            facts.refusals = .failure(error)
        }
        do throws(BrokerError) {
            facts.mistyped = .success(try await broker.mistypedKeys(queues: queues))
        } catch { facts.mistyped = .failure(error) }
        return facts
    }
}
