package import Foundation
import JobModel
package import Postgres

/// A table of history whose rows lie in a partition for each day.
package struct HistoryTable: Sendable, Equatable {
    /// Its name in reports and logs.
    package let name: String
    /// Its name in SQL.
    let table: String

    /// When each entry of the schedule fired.
    package static let ticks = HistoryTable(name: "ticks", table: "backhaul.ticks")
    /// Every call of an endpoint.
    package static let webhookAttempts = HistoryTable(
        name: "webhook_attempts", table: "public.webhook_attempts")
}

/// What the partitions of a table came to in one run.
package struct PartitionChanges: Sendable, Equatable, Encodable {
    package var made = 0
    package var dropped = 0
    /// Rows of the default partition that still have none, counted up to ``RetentionRepository/most``.
    package var unplaced = 0
    /// Whether the table was in use for too long, so that the next run must do it.
    package var isPostponed = false

    private enum CodingKeys: String, CodingKey {
        case made
        case dropped
        case unplaced
        case isPostponed = "postponed"
    }

    package init() {}
}

/// Makes room: days of history that begin and end, and rows whose time is over.
///
/// Each call is one transaction, short by its limits; any number may run at once.
package struct RetentionRepository: Sendable {
    /// The most rows of a default partition that are counted.
    package static let most = 10_000

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The server's clock, by which rows are dated.
    package func now() async throws(PostgresError) -> Date {
        let query: PostgresQuery = "select now() as now"
        guard let row = try await pool.query(query.named("retention.now")).first else {
            throw PostgresError(.decoding, "the server has no clock")
        }
        return try row["now"]
    }

    // MARK: Days

    /// Makes the days from the one of `now` on, gives stray rows theirs, and drops those that ended
    /// before the day of `oldest`.
    ///
    /// The functions of the database wait two seconds at most for a table in use, because whoever comes
    /// after them waits as long; the table then keeps what it has until the next run.
    package func turn(
        _ history: HistoryTable, keepingSince oldest: Date, at now: Date, daysAhead: Int
    ) async throws -> PartitionChanges {
        var changes = PartitionChanges()
        let table = history.table
        do {
            changes.made = try await alone(with: table) { transaction in
                let made = try await transaction.query(
                    """
                    select backhaul.empty_default(
                        \(table)::text::regclass, (\(oldest)::timestamptz at time zone 'UTC')::date,
                        (\(now)::timestamptz at time zone 'UTC')::date + \(daysAhead)::integer)
                    + backhaul.make_partitions(
                        \(table)::text::regclass, (\(now)::timestamptz at time zone 'UTC')::date,
                        \(daysAhead)::integer + 1) as made
                    """)
                return try made[0]["made"]
            }
            changes.dropped = try await alone(with: table) { transaction in
                let dropped = try await transaction.query(
                    """
                    select backhaul.drop_partitions(
                        \(table)::text::regclass,
                        (\(oldest)::timestamptz at time zone 'UTC')::date) as dropped
                    """)
                return try dropped[0]["dropped"]
            }
        } catch let error as PostgresError
            where error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
        {
            changes.isPostponed = true
        }
        let unplaced: PostgresQuery = """
            select backhaul.default_rows(\(table)::text::regclass, \(Self.most)::integer) as rows
            """
        changes.unplaced = try await pool.query(unplaced.named("retention.unplaced"))[0]["rows"]
        return changes
    }

    /// Runs `body` in a transaction, unless another run is at the days of the same table: 0 then.
    ///
    /// Two at once would lock each other out, each reading what the other one has to have for itself.
    private func alone(
        with table: String, _ body: (PostgresTransaction) async throws -> Int
    ) async throws -> Int {
        try await pool.transaction { transaction in
            let lock = try await transaction.query(
                """
                select pg_try_advisory_xact_lock(
                    hashtextextended(\("backhaul:days:" + table), 0)) as is_mine
                """)
            guard try lock[0]["is_mine"] else { return 0 }
            return try await body(transaction)
        }
    }

    // MARK: Rows

    /// Rows whose time is over, of one kind.
    package enum Prunable: String, Sendable, CaseIterable {
        /// Deliveries of the oldest events that were fanned out before, once all of them have ended.
        case deliveries
        /// Events without deliveries that were fanned out before. One that was not is kept, however old.
        case events
        /// Messages that came in before.
        case inbox
        /// Changes to the schedule; the database itself holds those of the last 400 days.
        case scheduleChanges = "schedule_changes"
        /// Keys under which jobs were enqueued before.
        case dedup = "dedup_keys"
        /// Rows of the outbox that could not be pushed, parked before.
        case parked = "parked_rows"
    }

    /// Deletes rows of one kind from before `oldest`, at most `limit`; returns how many it deleted.
    ///
    /// What somebody else holds is left for the next time.
    package func prune(
        _ kind: Prunable, before oldest: Date, limit: Int
    ) async throws(PostgresError) -> Int {
        switch kind {
        case .deliveries:
            let query: PostgresQuery = """
                delete from webhook_deliveries where id = any(array(
                    select d.id from (
                        select e.id from events e
                        where e.fanned_out_at < \(oldest) and not exists (
                            select from webhook_deliveries p
                            where p.event_id = e.id and p.state = 'pending')
                        order by e.fanned_out_at limit \(limit)
                    ) e join webhook_deliveries d on d.event_id = e.id
                    limit \(limit) for update of d skip locked))
                """
            return try await pool.query(query.named("retention.deliveries")).affected
        case .events:
            let query: PostgresQuery = """
                delete from events where id = any(array(
                    select e.id from events e
                    where e.fanned_out_at < \(oldest)
                      and not exists (select from webhook_deliveries d where d.event_id = e.id)
                    order by e.fanned_out_at limit \(limit) for update skip locked))
                """
            return try await pool.query(query.named("retention.events")).affected
        case .inbox:
            let query: PostgresQuery = """
                delete from backhaul.inbox where ctid = any(array(
                    select ctid from backhaul.inbox where received_at < \(oldest)
                    order by received_at limit \(limit) for update skip locked))
                """
            return try await pool.query(query.named("retention.inbox")).affected
        case .scheduleChanges:
            let query: PostgresQuery = """
                delete from backhaul.schedule_changes where id = any(array(
                    select id from backhaul.schedule_changes where at < \(oldest)
                    order by id limit \(limit) for update skip locked))
                """
            return try await pool.query(query.named("retention.schedule_changes")).affected
        case .dedup:
            let query: PostgresQuery = """
                select backhaul.prune_outbox(
                    now() - \(oldest)::timestamptz, interval '1000 years', \(limit)::integer) as n
                """
            return try await pool.query(query.named("retention.dedup"))[0]["n"]
        case .parked:
            let query: PostgresQuery = """
                select backhaul.prune_outbox(
                    interval '1000 years', now() - \(oldest)::timestamptz, \(limit)::integer) as n
                """
            return try await pool.query(query.named("retention.parked"))[0]["n"]
        }
    }
}
