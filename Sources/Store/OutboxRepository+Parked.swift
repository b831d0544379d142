package import Postgres

/// What operators see of the outbox, and what they do with rows that were set aside.
extension OutboxRepository {
    /// How many rows there are of each job and queue, most first; parked ones count as waiting for
    /// somebody.
    package func groups(
        limit: Int, in pool: PostgresPool
    ) async throws(PostgresError) -> [OutboxGroup] {
        let query: PostgresQuery = """
            select name, queue, sum(pending)::bigint as pending, sum(parked)::bigint as parked
            from (
                (select name, queue, 1 as pending, 0 as parked from backhaul.outbox
                    order by id limit \(Self.countLimit))
                union all
                (select name, queue, 0, 1 from backhaul.outbox_parked limit \(Self.countLimit))
            ) r group by name, queue order by count(*) desc, name, queue limit \(limit)
            """
        var groups: [OutboxGroup] = []
        for row in try await pool.query(query.named("outbox.groups")) {
            groups.append(
                OutboxGroup(
                    job: try row["name"], queue: try row["queue"], pending: try row["pending"],
                    parked: try row["parked"]))
        }
        return groups
    }

    /// The rows set aside last, newest first.
    package func parked(
        limit: Int, in pool: PostgresPool
    ) async throws(PostgresError) -> [ParkedRow] {
        let query: PostgresQuery = """
            select row_id as id, job_id, name, args::text as args, kwargs::text as kwargs, queue,
                priority, extract(epoch from run_at)::float8 as run_at,
                extract(epoch from expires_at)::float8 as expires_at, headers::text as headers,
                ordering_key, extract(epoch from created_at)::float8 as created_at,
                extract(epoch from clock_timestamp())::float8
                    - extract(epoch from created_at)::float8 as waited,
                reason, parked_at
            from backhaul.outbox_parked order by parked_at desc, id desc limit \(limit)
            """
        return try Self.parkedRows(try await pool.query(query.named("outbox.parked")))
    }

    /// The rows of a job that were set aside; more than one only where somebody reused an id.
    package func parked(
        of jobID: String, in pool: PostgresPool
    ) async throws(PostgresError) -> [ParkedRow] {
        let query: PostgresQuery = """
            select row_id as id, job_id, name, args::text as args, kwargs::text as kwargs, queue,
                priority, extract(epoch from run_at)::float8 as run_at,
                extract(epoch from expires_at)::float8 as expires_at, headers::text as headers,
                ordering_key, extract(epoch from created_at)::float8 as created_at,
                extract(epoch from clock_timestamp())::float8
                    - extract(epoch from created_at)::float8 as waited,
                reason, parked_at
            from backhaul.outbox_parked where job_id = \(jobID) order by id
            """
        return try Self.parkedRows(try await pool.query(query.named("outbox.parked")))
    }

    /// The row of a job that waits to be pushed; nil when it was, or never was there.
    package func pending(
        of jobID: String, in pool: PostgresPool
    ) async throws(PostgresError) -> OutboxRow? {
        let query: PostgresQuery = """
            select id, job_id, name, args::text as args, kwargs::text as kwargs, queue, priority,
                extract(epoch from run_at)::float8 as run_at,
                extract(epoch from expires_at)::float8 as expires_at, headers::text as headers,
                ordering_key, extract(epoch from created_at)::float8 as created_at,
                extract(epoch from clock_timestamp())::float8
                    - extract(epoch from created_at)::float8 as waited
            from backhaul.outbox where job_id = \(jobID) order by id limit 1
            """
        return try await pool.query(query.named("outbox.pending")).first.map {
            (row) throws(PostgresError) in try OutboxRow(row)
        }
    }

    /// Puts rows that were set aside back into the outbox, behind what is there, under their old job
    /// ids; `nil` stands for all of them, oldest first.
    ///
    /// - Returns: The ids of the jobs put back, at most `limit`.
    package func retry(
        _ jobIDs: [String]?, limit: Int, in pool: PostgresPool
    ) async throws -> [String] {
        try await pool.transaction { transaction in
            let locked: PostgresQuery = """
                select id, job_id, ordering_key from backhaul.outbox_parked
                where \(jobIDs.postgresValue)::text[] is null
                    or job_id = any(\(jobIDs.postgresValue)::text[])
                order by id limit \(limit) for update
                """
            let rows = try await transaction.query(locked.named("outbox.retry_rows"))
            let ids: [Int64] = try rows.map { try $0["id"] }
            let keys: [String?] = try rows.map { try $0["ordering_key"] }
            let jobs: [String] = try rows.map { try $0["job_id"] }
            guard !ids.isEmpty else { return [] }
            // As the function does that writes rows: ids of one key rise in the order of commits.
            for key in Set(keys.compactMap { $0 }).sorted() {
                let lock: PostgresQuery = """
                    select pg_advisory_xact_lock(
                        hashtextextended('backhaul.outbox:' || \(key)::text, 0))
                    """
                _ = try await transaction.query(lock.named("outbox.retry_lock"))
            }
            let move: PostgresQuery = """
                with moved as (
                    delete from backhaul.outbox_parked where id = any(\(ids)) returning *
                )
                insert into backhaul.outbox (job_id, name, args, kwargs, queue, priority, run_at,
                    expires_at, headers, ordering_key)
                select job_id, name, args, kwargs, queue, priority, run_at, expires_at, headers,
                    ordering_key
                from moved order by moved.id
                """
            _ = try await transaction.query(move.named("outbox.retry"))
            return jobs
        }
    }

    /// Deletes rows that were set aside; returns the ids of their jobs.
    package func discard(
        _ jobIDs: [String], in pool: PostgresPool
    ) async throws(PostgresError) -> [String] {
        let query: PostgresQuery = """
            delete from backhaul.outbox_parked where job_id = any(\(jobIDs)::text[])
            returning job_id
            """
        let rows = try await pool.query(query.named("outbox.discard"))
        return try rows.map { (row) throws(PostgresError) in try row["job_id"] }
    }

    private static func parkedRows(_ rows: PostgresRows) throws(PostgresError) -> [ParkedRow] {
        var found: [ParkedRow] = []
        for row in rows {
            found.append(
                ParkedRow(
                    row: try OutboxRow(row), reason: try row["reason"],
                    parkedAt: try row["parked_at"]))
        }
        return found
    }
}
