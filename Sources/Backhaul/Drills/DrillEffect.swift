import JobModel
import Postgres
import Store

/// Makes one countable effect: one row of `drill_effects`, by `context.transaction`.
///
/// The table has no unique key: an effect taken twice is two rows.
struct DrillEffect: Job {
    struct Payload: Codable, Sendable {
        /// What is counted.
        let number: Int64
        /// How long to sleep first.
        let milliseconds: Int64?
        /// How many attempts fail before one may succeed.
        let failTimes: Int?

        private enum CodingKeys: String, CodingKey {
            case number
            case milliseconds
            case failTimes = "fail_times"
        }
    }

    static let name: JobName = "drill.effect"
    static let policy = Drills.policy

    let ground: DrillGround

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let pause = try Drills.duration(Double(payload.milliseconds ?? 0) / 1000)
        if pause > .zero { try await ContinuousClock().sleep(for: pause) }
        guard context.attempt > payload.failTimes ?? 0 else {
            throw DrillFailure(description: "attempt \(context.attempt) fails, as was asked for")
        }
        let number = try await context.transaction(on: ground.pool, fencing: ground.fencing) {
            transaction in
            let query: PostgresQuery = """
                insert into drill_effects (number, job_id, worker, fence)
                values (\(payload.number), \(context.id.text), \(ground.worker),
                    \(context.fence.number))
                """
            _ = try await transaction.query(query.named("drill.effect"))
            return payload.number
        }
        return try .done(number)
    }
}

/// Makes the table that `drill.effect` writes to, unless it is there.
struct DrillPrepare: Job {
    struct Payload: Codable, Sendable {}

    static let name: JobName = "drill.prepare"
    static let policy = Drills.policy

    let pool: PostgresPool

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        // Two at once would both find no table, and one of them fail.
        try await pool.transaction { transaction in
            _ = try await transaction.query(
                "select pg_advisory_xact_lock(hashtextextended('drill.prepare', 0))")
            _ = try await transaction.query(
                """
                create table if not exists drill_effects (
                    number bigint not null, job_id text not null, worker text not null,
                    fence bigint not null, at timestamptz not null default clock_timestamp()
                )
                """)
        }
        return .done
    }
}

/// A failure that was asked for.
struct DrillFailure: Error, CustomStringConvertible {
    let description: String
}
