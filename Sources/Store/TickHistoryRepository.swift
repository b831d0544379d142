package import Foundation
package import Postgres

/// The history of ticks.
package struct TickHistoryRepository: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Which rows are wanted; newest first.
    package struct Filter: Sendable, Equatable {
        /// Of this entry; of all without it.
        package var entry: String?
        /// Due since then.
        package var since: Date?
        /// With this outcome, or whose job ended in this state.
        package var outcome: String?
        package var limit = 50

        package init() {}
    }

    /// Adds what lines of the log say; lines that were added before change nothing.
    ///
    /// One transaction. Writers take turns, so that two of them with the same lines cannot lock each
    /// other out.
    package func add(_ lines: [TickLine]) async throws(PostgresError) {
        let rows = TickRow.folded(lines)
        guard !rows.isEmpty else { return }
        let lock: PostgresQuery = "select pg_advisory_xact_lock(\(Self.writeLock))"
        var queries = [lock.named("ticks.lock")]
        let decided = rows.filter { $0.decidedAt != nil }
        if !decided.isEmpty { queries.append(Self.insert(decided).named("ticks.decided")) }
        let ended = rows.filter { $0.endedState != nil }
        if !ended.isEmpty { queries.append(Self.end(ended).named("ticks.ended")) }
        _ = try await pool.batch(queries)
    }

    /// What was decided; an end that is known already stays.
    ///
    /// A tick that waits is not final, whatever the order of writers.
    private static func insert(_ rows: [TickRow]) -> PostgresQuery {
        """
        insert into backhaul.ticks as t (entry, due_at, run, decided_at, job_id, outcome, missed)
        select entry, due_at, case outcome when 'triggered' then coalesce(job_id, '') else '' end,
            decided_at, job_id, outcome, missed
        from unnest(
            \(rows.map(\.entry)), \(rows.map(\.dueAt)), \(rows.map(\.decidedAt)),
            \(rows.map(\.job)), \(rows.map(\.outcome)), \(rows.map(\.missed))
        ) fresh (entry, due_at, decided_at, job_id, outcome, missed)
        on conflict (entry, due_at, run) do update
        set (decided_at, outcome, job_id) = (
                select x.decided_at, x.outcome, coalesce(x.job_id, t.job_id)
                from (values
                    (t.decided_at, t.outcome, t.job_id, true),
                    (excluded.decided_at, excluded.outcome, excluded.job_id, false)
                ) x (decided_at, outcome, job_id, is_old)
                where x.is_old = (excluded.outcome = 'waiting' and t.decided_at is not null)),
            missed = greatest(t.missed, excluded.missed)
        """
    }

    /// How jobs ended: in the row of that job, else in that of the tick, if it has no other job.
    ///
    /// The job of a run by hand says the due time of the tick that it stands for, which is earlier.
    private static func end(_ rows: [TickRow]) -> PostgresQuery {
        """
        insert into backhaul.ticks as t
            (entry, due_at, run, job_id, outcome, ended_at, ended_state)
        select distinct on (entry, due_at, run)
            entry, due_at, run, job_id, outcome, ended_at, ended_state
        from (
            select fresh.entry, coalesce(known.due_at, fresh.due_at) as due_at,
                coalesce(known.run, '') as run, job_id, outcome, ended_at, ended_state,
                known.run is not null as is_known
            from unnest(
                \(rows.map(\.entry)), \(rows.map(\.dueAt)), \(rows.map(\.job)),
                \(rows.map(\.outcome)), \(rows.map(\.endedAt)), \(rows.map(\.endedState))
            ) fresh (entry, due_at, job_id, outcome, ended_at, ended_state)
            left join lateral (
                select k.due_at, k.run from backhaul.ticks k
                where k.entry = fresh.entry and k.job_id = fresh.job_id
                    and k.due_at between fresh.due_at and fresh.ended_at
                order by k.due_at limit 1
            ) known on true
        ) found
        order by entry, due_at, run, is_known desc, ended_at desc
        on conflict (entry, due_at, run) do update
        set ended_at = excluded.ended_at, ended_state = excluded.ended_state,
            job_id = excluded.job_id
        where t.job_id is null or t.job_id = excluded.job_id
        """
    }

    /// What writers take turns on: `backhaul` and `tick`, in ASCII.
    private static let writeLock: Int64 = 0x6261_636b_7469_636b

    /// The newest rows.
    package func newest(_ filter: Filter) async throws(PostgresError) -> [TickRow] {
        let query: PostgresQuery = """
            select entry, due_at, decided_at, job_id, outcome, missed, ended_at, ended_state
            from backhaul.ticks
            where (\(filter.entry.postgresValue)::text is null
                    or entry = \(filter.entry.postgresValue)::text)
                and (\(filter.since.postgresValue)::timestamptz is null
                    or due_at >= \(filter.since.postgresValue)::timestamptz)
                and (\(filter.outcome.postgresValue)::text is null
                    or outcome = \(filter.outcome.postgresValue)::text
                    or ended_state = \(filter.outcome.postgresValue)::text)
            order by due_at desc, entry, run limit \(filter.limit)
            """
        return try Self.rows(await pool.query(query.named("ticks.newest")))
    }

    /// The newest row of each of these entries.
    package func newest(of entries: [String]) async throws(PostgresError) -> [TickRow] {
        let query: PostgresQuery = """
            select t.* from unnest(\(entries)) wanted (entry) cross join lateral (
                select entry, due_at, decided_at, job_id, outcome, missed, ended_at, ended_state
                from backhaul.ticks k where k.entry = wanted.entry
                order by due_at desc, run desc limit 1
            ) t
            """
        return try Self.rows(await pool.query(query.named("ticks.newest_each")))
    }

    private static func rows(_ found: PostgresRows) throws(PostgresError) -> [TickRow] {
        var rows: [TickRow] = []
        rows.reserveCapacity(found.count)
        for row in found {
            rows.append(
                TickRow(
                    entry: try row["entry"], dueAt: try row["due_at"],
                    decidedAt: try row["decided_at"], job: try row["job_id"],
                    outcome: try row["outcome"], missed: try row["missed"],
                    endedAt: try row["ended_at"], endedState: try row["ended_state"]))
        }
        return rows
    }
}
