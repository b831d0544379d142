import JobModel
import Postgres

/// The rows that say which jobs took effect: claimed first, recorded last, in one transaction.
///
/// The row of the job itself (no step) is locked by whoever claims, so that two holders take turns,
/// and bears the greatest fence shown.
struct EffectRepository: Sendable {
    /// What a step came to, when it was done before.
    struct Record: Sendable {
        /// JSON; none when a worker in another language kept nothing.
        let result: String?
    }

    /// The largest result that is kept, bytes of JSON.
    static let maximumResultBytes = 256 * 1024

    /// Claims a step for the holder of `fence`; waits for another holder's transaction to end.
    ///
    /// One round trip. Must come first in its transaction, under read committed: each statement
    /// has to see what was committed while it waited.
    ///
    /// - Returns: What was recorded before, or `nil` when the step is still to be done.
    /// - Throws: ``LeaseLost`` when a later holder has shown itself, else `PostgresError`.
    func claim(
        _ step: String, of id: JobID, by fence: Fence, in transaction: PostgresTransaction
    ) async throws -> Record? {
        var queries = [Self.show(fence, of: id)]
        if !step.isEmpty { queries.append(Self.touch(step, of: id, by: fence)) }
        let results = try await transaction.batch(queries)
        guard !results[0].isEmpty else { throw LeaseLost() }
        guard let row = results[results.count - 1].first, try row["done"] else { return nil }
        return Record(result: try row["result"])
    }

    /// Records that a claimed step took effect; to be sent with the commit.
    func record(_ step: String, of id: JobID, isLast: Bool, result: String) -> PostgresQuery {
        let query: PostgresQuery = """
            update job_effects set done_at = now(), is_last = \(isLast), result = \(result)
            where job_id = \(id.text) and step = \(step)
            """
        return query.named("effects.record")
    }

    /// Shows a fence; no row comes back when a greater one was shown before.
    static func show(_ fence: Fence, of id: JobID) -> PostgresQuery {
        let query: PostgresQuery = """
            insert into job_effects as e (job_id, fence) values (\(id.text), \(fence.number))
            on conflict (job_id, step) do update set fence = excluded.fence, shown_at = now()
            where e.fence <= excluded.fence
            returning done_at is not null as done, result
            """
        return query.named("effects.show")
    }

    /// Finds or makes the row of a step; who may do so was decided on the job's own row.
    private static func touch(_ step: String, of id: JobID, by fence: Fence) -> PostgresQuery {
        let query: PostgresQuery = """
            insert into job_effects as e (job_id, step, fence)
            values (\(id.text), \(step), \(fence.number))
            on conflict (job_id, step) do update set fence = excluded.fence, shown_at = now()
            returning done_at is not null as done, result
            """
        return query.named("effects.step")
    }
}
