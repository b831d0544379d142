package import Foundation
import Postgres

/// A row of the outbox, as it was written.
package struct OutboxRow: Sendable, Equatable {
    package let id: Int64
    package let jobID: String
    package let name: String
    /// JSON, which no program may be able to read.
    package let args: String
    package let kwargs: String
    package let queue: String?
    package let priority: Int?
    /// Seconds since 1970; may be infinite when somebody wrote the row by hand.
    package let runAt: Double?
    package let expiresAt: Double?
    package let headers: String
    package let orderingKey: String?
    package let createdAt: Double
    /// How long it had waited when it was read, by the database's clock.
    package let waited: Double

    init(_ row: PostgresRow) throws(PostgresError) {
        id = try row["id"]
        jobID = try row["job_id"]
        name = try row["name"]
        args = try row["args"]
        kwargs = try row["kwargs"]
        queue = try row["queue"]
        priority = try row["priority"]
        runAt = try row["run_at"]
        expiresAt = try row["expires_at"]
        headers = try row["headers"]
        orderingKey = try row["ordering_key"]
        createdAt = try row["created_at"]
        waited = try row["waited"]
    }
}

/// A row that was set aside because it could not be pushed, and why.
package struct ParkedRow: Sendable, Equatable {
    package let row: OutboxRow
    package let reason: String
    package let parkedAt: Date
}

/// How the outbox stands.
package struct OutboxStatus: Sendable, Equatable {
    /// Rows that wait; counted up to ``OutboxRepository/countLimit``.
    package let pending: Int
    /// How long the oldest of them has waited; nil when none does.
    package let oldest: Duration?
    /// Rows set aside; counted up to the same limit.
    package let parked: Int
}

/// How many rows of one job for one queue there are.
package struct OutboxGroup: Sendable, Equatable {
    package let job: String
    /// Nil for the job's own.
    package let queue: String?
    package let pending: Int
    package let parked: Int
}
