package import JobModel
import Redis

/// Where results are read by whoever waits for them.
package protocol ResultStore: Sendable {
    /// What is kept of these jobs, in order; nil where there is nothing.
    func records(of ids: [JobID]) async throws(BrokerError) -> [[UInt8]?]

    /// Deletes what is kept of these jobs.
    func forget(_ ids: [JobID]) async throws(BrokerError)
}

extension RedisBroker: ResultStore {
    /// The most records read or deleted by one command: they may be large.
    private static let recordsEachCommand = 100

    package func records(of ids: [JobID]) async throws(BrokerError) -> [[UInt8]?] {
        var records: [[UInt8]?] = []
        records.reserveCapacity(ids.count)
        for batch in Self.batches(of: ids) {
            let reply = try await send(RedisCommand("MGET", batch.map { keys.result(of: $0) }))
            if case .error(let error) = reply { throw BrokerError(error) }
            guard let values = reply.array, values.count == batch.count else {
                throw BrokerError(
                    code: .server, message: "Redis answered MGET with something else than a list")
            }
            records += values.map(\.bytes)
        }
        return records
    }

    package func forget(_ ids: [JobID]) async throws(BrokerError) {
        for batch in Self.batches(of: ids) {
            // UNLINK frees large values apart from the server's one thread.
            let reply = try await send(RedisCommand("UNLINK", batch.map { keys.result(of: $0) }))
            if case .error(let error) = reply { throw BrokerError(error) }
        }
    }

    private static func batches(of ids: [JobID]) -> [ArraySlice<JobID>] {
        stride(from: 0, to: ids.count, by: recordsEachCommand).map {
            ids[$0..<min($0 + recordsEachCommand, ids.count)]
        }
    }
}
