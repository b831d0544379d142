package import JobModel
package import Postgres

/// The effects of jobs as PostgreSQL knows them.
package struct PostgresEffectLedger: EffectLedger {
    private let pool: PostgresPool

    /// A ledger in the database that the jobs themselves write to.
    package init(pool: PostgresPool) { self.pool = pool }

    /// Shows the fence of a repeated delivery; waits while an older holder's transaction is open.
    ///
    /// One round trip.
    ///
    /// - Throws: `PostgresError`; also when that wait outlasts the statement timeout.
    package func admit(_ fence: Fence, of id: JobID) async throws -> EffectAdmission {
        let done: PostgresQuery = """
            select result from job_effects where job_id = \(id.text) and is_last
            """
        // Two statements: the second sees what was committed while the first one waited.
        let results = try await pool.batch([
            EffectRepository.show(fence, of: id), done.named("effects.done"),
        ])
        if let row = results[1].first {
            let result: String? = try row["result"]
            return .tookEffect(result: try JSONValue(parsing: Array((result ?? "null").utf8)))
        }
        return results[0].isEmpty ? .fenced : .open
    }

    /// Forgets jobs whose holders last showed themselves longer ago than `age`.
    ///
    /// By the server's clock, so that a worker whose clock runs ahead forgets nothing early. Rows
    /// that somebody holds are left for the next time; the steps of a job go after the job itself.
    ///
    /// - Returns: How many rows were deleted, at most `limit`.
    package func prune(olderThan age: Duration, limit: Int) async throws(PostgresError) -> Int {
        let query: PostgresQuery = """
            delete from job_effects where ctid = any(array(
                select e.ctid from job_effects e
                where e.shown_at < now() - make_interval(secs => \(age.inSeconds))
                  and not exists (
                    select from job_effects j where j.job_id = e.job_id and j.step = ''
                      and e.step <> ''
                      and j.shown_at >= now() - make_interval(secs => \(age.inSeconds)))
                order by e.shown_at limit \(limit)
                for update of e skip locked))
            """
        return try await pool.query(query.named("effects.prune")).affected
    }
}
