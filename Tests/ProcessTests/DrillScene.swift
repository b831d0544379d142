import Broker
import Enqueue
import JobModel
import Postgres
import TestSupport

/// A Redis and a migrated database on which drills leave countable effects.
struct DrillScene: Sendable {
    /// What `drill_effects` holds.
    struct Effects: Equatable, Sendable {
        let rows: Int
        let numbers: Int
    }

    let queues: QueueServer
    private let databaseURL: String
    private let pool: PostgresPool

    /// Runs `body` with servers and tables of its own.
    static func with(_ body: (DrillScene) async throws -> Void) async throws {
        let queues = try await QueueServer()
        try await PostgresServer.shared.withDatabase { url in
            let migration = try await BackhaulProcess.run(
                ["migrate", "up", "--database", url], within: .seconds(60))
            guard migration.code == 0 else {
                throw FixtureError("backhaul migrate up failed: \(migration.errors)")
            }
            let pool = PostgresServer.pool(url) { $0.poolSize = 2 }
            let outcome: Result<Void, any Error>
            do {
                // Without a unique key: an effect taken twice has to show.
                _ = try await pool.query(
                    """
                    create table drill_effects (
                        number bigint not null, job_id text, worker text, fence bigint,
                        at timestamptz not null default clock_timestamp())
                    """)
                outcome = .success(
                    try await body(DrillScene(queues: queues, databaseURL: url, pool: pool)))
            } catch { outcome = .failure(error) }
            await pool.shutdown()
            try outcome.get()
        }
    }

    /// One more worker that runs drills; its lease is short, so that the test is.
    func worker(concurrency: Int = 8) throws -> BackhaulProcess {
        try BackhaulProcess.worker(
            redis: queues.url, database: databaseURL, queues: "drills", concurrency: concurrency,
            settings: [
                "worker.drills": "true", "worker.lease_seconds": "2",
                "worker.lease_renewal_seconds": "0.5", "database.pool_size": "4",
                // Of a worker that is killed again and again, what it holds is no poison.
                "worker.maximum_deaths": "20",
            ])
    }

    /// Enqueues one effect for each number.
    func send(_ numbers: ClosedRange<Int>, milliseconds: (Int) -> Int) async throws {
        let enqueuer = Enqueuer(broker: queues.broker)
        var options = EnqueueOptions()
        options.queue = "drills"
        for number in numbers {
            try await enqueuer.enqueue(
                "drill.effect",
                kwargs: [
                    "number": .number(JSONNumber(number)),
                    "milliseconds": .number(JSONNumber(milliseconds(number))),
                ], options)
        }
    }

    /// What has taken effect so far.
    func effects() async throws -> Effects {
        let rows = try await pool.query(
            "select count(*) as rows, count(distinct number) as numbers from drill_effects")
        guard let row = rows.first else { throw FixtureError("no effects could be read") }
        return Effects(rows: try row["rows"], numbers: try row["numbers"])
    }

    /// Messages that wait, are put off, or are in somebody's hands.
    func backlog() async throws -> Int {
        try await queues.waiting(in: "drills") + queues.broker.inFlight()
            + queues.broker.delayed()
    }
}
