package import JobModel
import Redis

extension RedisBroker {
    package func markSuspect(
        _ delivery: Delivery, of worker: WorkerID
    ) async throws(BrokerError) {
        let key = keys.suspects(of: worker)
        let replies = try await pipeline([
            RedisCommand("SADD", key, delivery.lease.tag),
            // Gone with its worker; if even the reaper never comes, then with this.
            RedisCommand("EXPIRE", key, Int(options.visibilityTimeout.inSeconds) + 86_400),
        ])
        if case .error(let error) = replies[0] { throw BrokerError(error) }
    }

    package func clearSuspect(
        _ delivery: Delivery, of worker: WorkerID
    ) async throws(BrokerError) {
        _ = try await send(
            RedisCommand("SREM", keys.suspects(of: worker), delivery.lease.tag))
    }
}
