import Foundation
import JobModel
import Jobs
import Logging
import Postgres
import Store
import TestSupport

/// Services under contract with an hour's outage each, and the jobs of service levels on them.
struct SweepWorld {
    /// 20 July 2026, 00:00 UTC.
    static let july = Date(timeIntervalSince1970: 1_784_505_600)
    /// 1 August 2026, 00:00 UTC.
    static let august = Date(timeIntervalSince1970: 1_785_542_400)

    let pool: PostgresPool
    let log = FanOutLog()
    /// Ten services to a shard, so that forty are four.
    let plan = ShardPlan(servicesPerShard: 10)

    /// Services under 99.9 %, each an hour down on 10 July 2026.
    static func with(
        services: Int = 40, stride: Int = 1, _ body: (SweepWorld) async throws -> Void
    ) async throws {
        try await MigratedDatabase.with { pool in
            try await SeedRows.customer(pool)
            _ = try await pool.query(
                """
                insert into plans (id, name, radius_group, down_bps, up_bps, mrc_minor)
                values (1, 'f', 'plan:f', 1000, 1000, 4999)
                """)
            _ = try await pool.query(
                """
                insert into sla_policies (id, name, target_ppm, basis)
                values (1, '99.9 %', 999000, 'uptime')
                """)
            _ = try await pool.query(
                "insert into sla_bands values (1, 990000, 999000, 1000), (1, 0, 990000, 2500)")
            _ = try await pool.query(
                """
                insert into services (id, customer_id, plan_id, radius_username,
                    radius_password, mrc_minor, activated_at, sla_policy_id)
                select i * \(stride), 1, 1, 'u' || i, 'pw', 4999, '2025-01-01Z', 1
                from generate_series(1, \(services)::bigint) i
                """)
            _ = try await pool.query(
                """
                insert into outages (service_id, during, recorded_at)
                select id, tstzrange('2026-07-10 00:00Z', '2026-07-10 01:00Z'), '2026-07-10 01:00Z'
                from services
                """)
            try await body(SweepWorld(pool: pool))
        }
    }

    func sweep(_ checkpoints: Checkpoints = .none) -> SweepServiceLevels {
        SweepServiceLevels(
            pool: pool, publisher: log.publisher, plan: plan, checkpoints: checkpoints)
    }

    func close(_ checkpoints: Checkpoints = .none) -> CloseServiceLevels {
        CloseServiceLevels(
            pool: pool, publisher: log.publisher, plan: plan, checkpoints: checkpoints)
    }

    func alert(_ checkpoints: Checkpoints = .none, plan: ShardPlan? = nil) -> AlertOnBurn {
        AlertOnBurn(
            pool: pool, publisher: log.publisher, plan: plan ?? self.plan, checkpoints: checkpoints)
    }

    /// Sweeps as one shard, without a fan-out.
    func sweepAll(
        period: String? = nil, at now: Date = july, _ checkpoints: Checkpoints = .none
    ) async throws -> JSONValue {
        try await ScopedRun(time: HandClock(now)).finish(
            sweep(checkpoints), .init(period: period, shard: 0, shards: 1))
    }

    /// The sum of all credits.
    func credited() async throws -> Int64 {
        try await pool.query(
            "select coalesce(sum(amount_minor), 0)::bigint as sum from sla_credits")[0]["sum"]
    }

    /// How many results are final, and how many are not.
    func finals() async throws -> [Int] {
        try await pool.query(
            """
            select array[count(*) filter (where final), count(*) filter (where not final)] as n
            from sla_results
            """)[0]["n"]
    }
}

/// One run of a job as a worker makes it, with what the job wants sent at its end.
struct ScopedRun {
    struct Unfinished: Error {}

    let context: JobContext
    private let scope: JobScope

    init(
        id: String = "job-1", headers: JSONObject = JSONObject(), expires: Date? = nil,
        time: any TimeSource
    ) throws {
        var outgoing = OutgoingMessage(
            id: JobID(id), name: SweepServiceLevels.name,
            body: MessageBody(args: [], kwargs: JSONObject()), queue: "sla")
        outgoing.headers = headers
        outgoing.expires = expires
        outgoing.priority = Priority(3)
        let raw = outgoing.encoded(origin: "test", deliveryTag: "1")
        let message = try JobMessage(decoding: raw, limits: WireLimits())
        var rules = CanvasRules()
        rules.queues = AllJobs.queues
        scope = JobScope(
            message, MessageBody(args: [], kwargs: JSONObject()), task: nil,
            from: Delivery(
                raw: raw, lease: Lease(tag: "test-1"), queue: "sla", step: 0, reservedAt: time.now),
            maximumAttempts: 10,
            on: JobSite(
                rules: rules, time: time,
                logger: Logger(label: "test.jobs") { _ in SwiftLogNoOpLogHandler() }))
        context = JobContext(scope)
    }

    /// What leaves when the job is settled as done.
    var sent: [OutgoingMessage] { scope.draft.publication.messages }

    /// Runs to the end; returns the result.
    func finish<Body: Job>(_ job: Body, _ payload: Body.Payload) async throws -> JSONValue {
        guard case .finished(let result) = try await job.run(payload, in: context) else {
            throw Unfinished()
        }
        return result
    }
}

extension OutgoingMessage {
    /// The payload, as the job that it is for reads it.
    func payload<Payload: Decodable>(as type: Payload.Type = Payload.self) throws -> Payload {
        try JSONValue.object(body.kwargs).decoded()
    }
}
