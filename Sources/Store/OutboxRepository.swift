package import JobModel
package import Postgres

/// The outbox: jobs written in the transactions of others, and taken out to be pushed.
package struct OutboxRepository: Sendable {
    /// How many rows are counted before the answer is "at least so many".
    package static let countLimit = 1_000_000
    /// The most JSON of one claim, in bytes; one row more may pass it.
    package static let claimBytes = 8 * 1024 * 1024
    /// How long a relay's transaction may sit idle, in milliseconds: longer than any push may take.
    private static let idleLimit = 15_000

    /// Seconds; beyond that somebody made the row up.
    private static let longestWait = 1e9

    package init() {}

    /// Writes a job in a transaction; one round trip.
    ///
    /// - Returns: Its id; with a `dedup` key used before, that of the first one.
    package func enqueue(
        _ draft: OutboxDraft, in transaction: PostgresTransaction
    ) async throws(PostgresError) -> JobID {
        let query: PostgresQuery = """
            select backhaul.enqueue(
                job => \(draft.job.text), args => \(draft.args), kwargs => \(draft.kwargs),
                queue => \((draft.queue?.text).postgresValue), at => \(draft.at.postgresValue),
                dedup => \(draft.dedup.postgresValue),
                priority => \((draft.priority?.value).postgresValue)::integer,
                expires => \(draft.expires.postgresValue), headers => \(draft.headers),
                ordering_key => \(draft.orderingKey.postgresValue)) as job_id
            """
        let rows = try await transaction.query(query.named("outbox.enqueue"))
        return JobID(try rows[0]["job_id"])
    }

    /// Takes out the oldest rows that nobody else is taking; they are gone if the transaction commits.
    ///
    /// Must come first in its transaction. Those with an ordering key are taken by one relay at a
    /// time, whose transaction ends before the next one looks. In the order of ids.
    package func claim(
        _ limit: Int, in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [OutboxRow] {
        let claim: PostgresQuery = """
            with claimed as materialized (
                select o.ctid as place, o.id, o.bytes from backhaul.outbox o
                where o.ordering_key is null
                    or current_setting('backhaul.relays_ordered', true) = 'true'
                order by o.id limit \(limit) for update skip locked
            ), fitting as (
                select place from (
                    select place, sum(bytes) over (order by id) - bytes as before from claimed
                ) c where before < \(Self.claimBytes)
            )
            delete from backhaul.outbox o where o.ctid = any(array(select place from fitting))
            returning o.id, o.job_id, o.name, o.args::text as args, o.kwargs::text as kwargs,
                o.queue, o.priority, extract(epoch from o.run_at)::float8 as run_at,
                extract(epoch from o.expires_at)::float8 as expires_at,
                o.headers::text as headers, o.ordering_key,
                extract(epoch from o.created_at)::float8 as created_at,
                extract(epoch from clock_timestamp())::float8
                    - extract(epoch from o.created_at)::float8 as waited
            """
        // Two statements, so that the second sees what was committed before the lock was had.
        let results = try await transaction.batch([Self.settings, claim.named("outbox.claim")])
        var rows: [OutboxRow] = []
        rows.reserveCapacity(results[1].count)
        for row in results[1] { rows.append(try OutboxRow(row)) }
        return rows.sorted { $0.id < $1.id }
    }

    /// What holds for a relay's transaction, and only for it, behind whatever pooler.
    private static var settings: PostgresQuery {
        let query: PostgresQuery = """
            select
                -- A relay that stood still must not keep its rows from the others.
                set_config('idle_in_transaction_session_timeout', \(Self.idleLimit)::text, true),
                -- A commit that a crash takes back would push again what is known no more.
                set_config('synchronous_commit', case current_setting('synchronous_commit')
                    when 'off' then 'on' else current_setting('synchronous_commit') end, true),
                -- Rows come and go faster than statistics: the order of ids is what there is.
                set_config('enable_seqscan', 'off', true),
                set_config('backhaul.relays_ordered', pg_try_advisory_xact_lock(
                    hashtextextended('backhaul.outbox', 0))::text, true)
            """
        return query.named("outbox.settings")
    }

    /// Sets rows aside that were claimed in the same transaction, each with its reason.
    package func park(
        _ rows: [(row: OutboxRow, reason: String)], in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !rows.isEmpty else { return }
        let all = rows.map(\.row)
        let query: PostgresQuery = """
            insert into backhaul.outbox_parked (
                row_id, job_id, name, args, kwargs, queue, priority, run_at, expires_at, headers,
                ordering_key, created_at, reason)
            select row_id, job_id, name, args::json, kwargs::json, queue, priority::integer,
                to_timestamp(run_at), to_timestamp(expires_at), headers::json, ordering_key,
                to_timestamp(created_at), reason
            from unnest(
                \(all.map(\.id)), \(all.map(\.jobID))::text[], \(all.map(\.name))::text[],
                \(all.map(\.args))::text[], \(all.map(\.kwargs))::text[],
                \(all.map(\.queue))::text[], \(all.map(\.priority)), \(all.map(\.runAt)),
                \(all.map(\.expiresAt)), \(all.map(\.headers))::text[],
                \(all.map(\.orderingKey))::text[], \(all.map(\.createdAt)),
                \(rows.map(\.reason))::text[]
            ) as parked (
                row_id, job_id, name, args, kwargs, queue, priority, run_at, expires_at, headers,
                ordering_key, created_at, reason)
            """
        _ = try await transaction.query(query.named("outbox.park"))
    }

    /// Counts what waits and what is set aside.
    package func status(in pool: PostgresPool) async throws(PostgresError) -> OutboxStatus {
        let query: PostgresQuery = """
            select
                (select count(*) from
                    (select from backhaul.outbox limit \(Self.countLimit)) p) as pending,
                (select extract(epoch from clock_timestamp())::float8
                    - extract(epoch from created_at)::float8
                    from backhaul.outbox order by id limit 1) as oldest,
                (select count(*) from
                    (select from backhaul.outbox_parked limit \(Self.countLimit)) p) as parked
            """
        let rows = try await pool.query(query.named("outbox.status"))
        let oldest: Double? = try rows[0]["oldest"]
        return OutboxStatus(
            pending: try rows[0]["pending"],
            oldest: oldest.map { .seconds(min(max($0, 0), Self.longestWait)) },
            parked: try rows[0]["parked"])
    }

    /// Forgets dedup keys and parked rows that are older than this; returns how many.
    package func prune(
        dedupOlderThan dedup: Duration, parkedOlderThan parked: Duration, limit: Int,
        in pool: PostgresPool
    ) async throws(PostgresError) -> Int {
        let query: PostgresQuery = """
            select backhaul.prune_outbox(
                make_interval(secs => \(dedup.inSeconds)),
                make_interval(secs => \(parked.inSeconds)), \(limit)::integer) as count
            """
        return try await pool.query(query.named("outbox.prune"))[0]["count"]
    }
}
