import Foundation
import JobModel
import Mailbox
import Redis

/// Renews a worker's lease from the connection's own thread, which job code cannot block.
final class RedisLeaseRenewal: LeaseRenewal {
    /// The longest a renewal waits for its answer: the renewals are what finds out that the network
    /// swallows everything, so they must find out soon.
    private static let longestWait = Duration.seconds(4)
    /// The shortest, however short the lease: a busy server is not a silent one.
    private static let shortestWait = Duration.seconds(1)

    private let renewed = Locked(ContinuousClock.now)
    private let repetition: RedisRepetition

    init(
        broker: RedisBroker, presence: @escaping @Sendable () -> WorkerPresence,
        every period: Duration,
        holding tags: @escaping @Sendable () -> [String],
        onRenewal: @escaping @Sendable (_ gone: [String]) -> Void
    ) {
        let keys = [
            broker.keys.workers, broker.keys.presence, broker.keys.unackedIndex,
            broker.keys.overdue,
        ]
        let lease = Int(broker.options.lease.inMilliseconds)
        let script = broker.scripts.renew
        let renewed = renewed
        repetition = broker.connection.repeatedly(
            every: period,
            timeout: max(Self.shortestWait, min(Self.longestWait, broker.options.lease))
        ) {
            var call = RedisScriptCall(script, keys: keys)
            let now = presence()
            call.append(now.worker)
            call.append(lease)
            call.append(now.encoded())
            call.append(contentsOf: tags())
            return call.eval  // by text: nobody is there to answer NOSCRIPT
        } onReply: { reply in
            guard case .success(let answer) = reply else { return }
            renewed.withLock { $0 = ContinuousClock.now }
            onRenewal((answer.array ?? []).compactMap(\.string))
        }
    }

    var renewedAt: ContinuousClock.Instant { renewed.withLock { $0 } }

    func cancel() { repetition.cancel() }
}

extension WorkerPresence {
    /// The record kept in Redis.
    func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = .sortedKeys
        do { return Array(try encoder.encode(self)) } catch {
            preconditionFailure("a presence holds only plain values")
        }
    }

    /// Reads a record; nil when somebody else wrote it.
    init?(decoding bytes: [UInt8]) {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let value = try? decoder.decode(Self.self, from: Data(bytes)) else { return nil }
        self = value
    }
}
