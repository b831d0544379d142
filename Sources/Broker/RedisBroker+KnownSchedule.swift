import Redis

/// The copy of the stored schedule that schedulers leave in Redis for one that starts while
/// PostgreSQL is away.
extension RedisBroker {
    /// The largest copy written, bytes.
    package static let maximumKnownScheduleBytes = 4 * 1024 * 1024

    /// The copy as it was written last; nil when nobody has written one.
    package func knownSchedule() async throws(BrokerError) -> [UInt8]? {
        let reply = try await send(RedisCommand("GET", keys.knownSchedule))
        if case .error(let error) = reply { throw BrokerError(error) }
        return reply.bytes
    }

    /// Replaces the copy.
    package func keepKnownSchedule(_ json: [UInt8]) async throws(BrokerError) {
        let limit = Self.maximumKnownScheduleBytes
        guard json.count <= limit else {
            throw BrokerError(
                code: .refused, message: "the stored schedule is larger than \(limit) bytes")
        }
        var command = RedisCommand("SET", keys.knownSchedule)
        command.append(json)
        let reply = try await send(command)
        if case .error(let error) = reply { throw BrokerError(error) }
    }
}
