import JobModel
import Logging
import Postgres
import Store
import TestSupport

/// What the tests of effects share: holders of jobs, and a table in which doubles show.
struct EffectFixture: Sendable {
    let pool: PostgresPool
    let ledger: PostgresEffectLedger

    /// Runs `body` on a fresh database.
    static func with(_ body: (EffectFixture) async throws -> Void) async throws {
        try await MigratedDatabase.with { pool in
            try await body(EffectFixture(on: pool))
        }
    }

    init(on pool: PostgresPool) async throws {
        self.pool = pool
        ledger = PostgresEffectLedger(pool: pool)
        _ = try await pool.query("create table marks (job_id text not null, value bigint not null)")
    }

    /// A run of a job by the holder of that fence.
    static func holder(_ fence: Int64, of id: String = "job-1") -> JobContext {
        JobContext(
            id: JobID(id), name: "test.effect", queue: "test", attempt: 1, maximumAttempts: 3,
            fence: Fence(fence), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            time: SystemTime())
    }

    /// Writes a mark by `context.transaction`, and returns what it wrote, or what was recorded.
    @discardableResult
    func mark(
        _ value: Int64, as context: JobContext, step: String = "", isLast: Bool = true,
        fencing: EffectFencing = .on, then rest: @Sendable () async throws -> Void = {}
    ) async throws -> Int64 {
        try await context.transaction(on: pool, step: step, isLast: isLast, fencing: fencing) {
            transaction in
            try await Self.insert(value, context.id.text, in: transaction)
            try await rest()
            return value
        }
    }

    static func insert(
        _ value: Int64, _ id: String, in transaction: PostgresTransaction
    ) async throws {
        _ = try await transaction.query(
            "insert into marks (job_id, value) values (\(id), \(value))")
    }

    /// What a worker in another language does: takes the effect and, if it may, writes a mark.
    func markBySQL(_ value: Int64, of id: String, fence: Int64 = 0) async throws -> Bool {
        try await pool.transaction { transaction in
            let rows = try await transaction.query(
                "select backhaul_take_effect(\(id), \(fence), \(String(value))) as taken")
            guard try rows[0]["taken"] else { return false }
            try await Self.insert(value, id, in: transaction)
            return true
        }
    }

    /// Every mark there is, in order.
    func marks(of id: String = "job-1") async throws -> [Int64] {
        try await pool.query("select value from marks where job_id = \(id) order by value")
            .map { try $0["value"] }
    }

    /// Waits until some session of this database waits for a lock.
    func somebodyWaits() async throws {
        try await eventually(within: .seconds(30), "a session that waits for a lock") {
            try await !pool.query(
                """
                select from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'
                """
            ).isEmpty
        }
    }
}

/// A failure of a body.
struct BodyFailed: Error {}
