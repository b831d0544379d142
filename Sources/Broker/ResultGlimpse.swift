package import JobModel
import Redis

/// As much of a result record as tells whether a job ended again.
package struct ResultGlimpse: Sendable, Equatable {
    /// Records of failures are shorter; of longer ones the beginning tells enough.
    private static let bytes = 32 * 1024

    /// `SUCCESS`, `FAILURE`, `RETRY`, `REVOKED`, or another word of Celery's.
    package let status: String
    /// The record's own bytes: those of another end differ, by their date at least.
    private let record: [UInt8]

    fileprivate init?(_ record: [UInt8]) {
        let text = String(decoding: record.prefix(512), as: UTF8.self)
        guard let match = text.firstMatch(of: /"status": ?"([A-Z]+)"/) else { return nil }
        status = String(match.1)
        self.record = record
    }

    fileprivate static func reading(_ key: String) -> RedisCommand {
        RedisCommand("GETRANGE", key, 0, bytes - 1)
    }
}

extension RedisBroker {
    /// The most results asked for in one write.
    private static let resultsEachCall = 100

    /// What results say of jobs, in order; nil where there is none.
    package func results(
        of ids: [JobID]
    ) async throws(BrokerError) -> [ResultGlimpse?] {
        var glimpses: [ResultGlimpse?] = []
        for start in stride(from: 0, to: ids.count, by: Self.resultsEachCall) {
            let some = ids[start..<min(start + Self.resultsEachCall, ids.count)]
            let replies = try await pipeline(
                some.map { ResultGlimpse.reading(keys.result(of: $0)) })
            glimpses += replies.map { $0.bytes.flatMap(ResultGlimpse.init) }
        }
        return glimpses
    }
}
