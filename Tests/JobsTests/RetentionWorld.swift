import Foundation
import JobModel
import Jobs
import Logging
import Postgres
import Store
import TestSupport

/// A database with history of every kind, and the job that bounds it.
struct RetentionWorld: Sendable {
    let pool: PostgresPool
    let log = RecordedLog()
    /// The server's clock when the world began.
    let now: Date

    static func with(_ body: (RetentionWorld) async throws -> Void) async throws {
        try await MigratedDatabase.with { pool in
            let now = try await RetentionRepository(pool: pool).now()
            try await body(RetentionWorld(pool: pool, now: now))
        }
    }

    private init(pool: PostgresPool, now: Date) {
        self.pool = pool
        self.now = now
    }

    /// One run of the job.
    func run(
        at date: Date? = nil, keeps: RetentionKeeps = RetentionKeeps(),
        budget: Duration = ApplyRetention.budget
    ) async throws -> JSONValue {
        let job = ApplyRetention(
            repository: RetentionRepository(pool: pool),
            effects: PostgresEffectLedger(pool: pool), keeps: keeps, budget: budget)
        let context = JobContext(
            id: JobID("retention"), name: ApplyRetention.name, queue: .celery, attempt: 1,
            maximumAttempts: 4, logger: log.logger, time: HandClock(date ?? now))
        guard case .finished(let result) = try await job.run(.init(), in: context) else {
            throw FixtureError("the job did not finish")
        }
        return result
    }

    /// How many rows each table of history holds.
    func counts() async throws -> [String: Int] {
        let row = try await pool.query(
            """
            select (select count(*) from events) as events,
                (select count(*) from webhook_deliveries) as deliveries,
                (select count(*) from webhook_attempts) as attempts,
                (select count(*) from backhaul.ticks) as ticks,
                (select count(*) from backhaul.inbox) as inbox,
                (select count(*) from backhaul.outbox_dedup) as dedup,
                (select count(*) from backhaul.outbox_parked) as parked
            """)[0]
        var counts: [String: Int] = [:]
        for name in ["events", "deliveries", "attempts", "ticks", "inbox", "dedup", "parked"] {
            counts[name] = try row[name]
        }
        return counts
    }

    /// Endpoint 1, which every delivery goes to.
    func addEndpoint() async throws {
        _ = try await pool.query(
            """
            insert into webhook_endpoints (id, url, types, secrets)
            values (1, 'http://h/', '{*}', '{s}')
            """)
    }

    /// What one day leaves behind: one row of each kind.
    func live(through date: Date, number: Int) async throws {
        let id = Int64(number)
        _ = try await pool.batch([
            """
            insert into events
                (id, type, payload, occurred_at, recorded_at, dedup_key, fanned_out_at)
            values (\(id), 'a.b', '', \(date), \(date), \("k\(number)"), \(date))
            """,
            """
            insert into webhook_deliveries (id, event_id, endpoint_id, state, delivered_at)
            values (\(id), \(id), 1, 'delivered', \(date))
            """,
            """
            insert into webhook_attempts (delivery_id, attempt, at, status, elapsed_ms)
            values (\(id), 1, \(date), 200, 1)
            """,
            """
            insert into backhaul.ticks (entry, due_at, outcome) values (\("e\(number)"), \(date), 'enqueued')
            """,
            """
            insert into backhaul.inbox (source, message_id, received_at, job, job_id)
            values ('s', \("m\(number)"), \(date), 'j', 'i')
            """,
            """
            insert into backhaul.outbox_dedup (key, job_id, created_at)
            values (\("k\(number)"), 'i', \(date))
            """,
            """
            insert into backhaul.outbox_parked
                (row_id, job_id, name, args, kwargs, headers, created_at, reason, parked_at)
            values (\(id), 'i', 'n', '[]', '{}', '{}', \(date), 'r', \(date))
            """,
        ])
    }

    /// How many partitions a table has, its default one included.
    func partitions(_ table: String) async throws -> Int {
        try await pool.query(
            "select count(*) as n from pg_inherits where inhparent = \(table)::text::regclass")[0][
                "n"]
    }
}
