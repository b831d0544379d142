package import Foundation
package import Postgres

/// What is known of one message that came in.
package struct InboxRecord: Sendable, Equatable {
    package let source: String
    package let id: String
    package let receivedAt: Date
    /// SHA-256 of the message, in hexadecimal digits; `nil` where the receiver gave none.
    package let digest: String?
    package let job: String
    package let jobID: String
    /// How often the id came again with another message, and the last of those.
    package let conflicts: Int
    package let conflictDigest: String?
    package let conflictAt: Date?
}

/// Which messages are meant.
package struct InboxFilter: Sendable, Equatable {
    package var source: String?
    package var job: String?
    /// Received since then; of conflicts, those whose last one came since then.
    package var since: Date?
    /// Only ids that came with more than one message.
    package var onlyConflicts = false

    package init() {}
}

/// Looks at what came in; changes nothing.
package struct InboxRecords: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The newest messages that the filter leaves, at most `limit`; conflicts by their last one.
    package func list(
        _ filter: InboxFilter, limit: Int
    ) async throws(PostgresError) -> [InboxRecord] {
        let query: PostgresQuery =
            filter.onlyConflicts
            ? """
            select *, encode(payload_digest, 'hex') as digest,
                encode(conflict_digest, 'hex') as other_digest
            from backhaul.inbox
            where conflicts > 0
                and source = coalesce(\(filter.source.postgresValue), source)
                and job = coalesce(\(filter.job.postgresValue), job)
                and conflict_at >= coalesce(\(filter.since.postgresValue), '-infinity')
            order by conflict_at desc, source, message_id limit \(limit)
            """
            : """
            select *, encode(payload_digest, 'hex') as digest,
                encode(conflict_digest, 'hex') as other_digest
            from backhaul.inbox
            where source = coalesce(\(filter.source.postgresValue), source)
                and job = coalesce(\(filter.job.postgresValue), job)
                and received_at >= coalesce(\(filter.since.postgresValue), '-infinity')
            order by received_at desc, source, message_id limit \(limit)
            """
        var records: [InboxRecord] = []
        for row in try await pool.query(query.named("inbox.list")) {
            records.append(try Self.record(row))
        }
        return records
    }

    /// One message, by its sender's id.
    package func find(
        _ id: String, from source: String
    ) async throws(PostgresError) -> InboxRecord? {
        let query: PostgresQuery = """
            select *, encode(payload_digest, 'hex') as digest,
                encode(conflict_digest, 'hex') as other_digest
            from backhaul.inbox where source = \(source) and message_id = \(id)
            """
        guard let row = try await pool.query(query.named("inbox.find")).first else { return nil }
        return try Self.record(row)
    }

    private static func record(_ row: PostgresRow) throws(PostgresError) -> InboxRecord {
        InboxRecord(
            source: try row["source"], id: try row["message_id"],
            receivedAt: try row["received_at"], digest: try row["digest"], job: try row["job"],
            jobID: try row["job_id"], conflicts: try row["conflicts"],
            conflictDigest: try row["other_digest"], conflictAt: try row["conflict_at"])
    }
}
