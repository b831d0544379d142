import Foundation
import JobModel
import Jobs
import Postgres
import Store
import TestSupport
import Testing

@Suite("Switching a service on")
struct ProcessServiceProvisioningTests {
    private static let start = Date(timeIntervalSince1970: 1_790_000_000)

    private static func run(
        _ pool: PostgresPool, _ log: FanOutLog, id: String = "job-1", fence: Fence = .none,
        service: Int64 = 1, at now: Date = start, _ checkpoints: Checkpoints = .none
    ) async throws -> JSONValue {
        let job = ProcessServiceProvisioning(
            pool: pool, publisher: log.publisher, checkpoints: checkpoints)
        let verdict = try await job.run(
            ProcessServiceProvisioning.Payload(serviceID: service),
            in: jobContext(id, fence: fence, time: HandClock(now)))
        guard case .finished(let result) = verdict else { throw Unfinished() }
        return result
    }

    private struct Unfinished: Error {}

    /// Service row, RADIUS rows and operations, as text.
    private static func state(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            """
            select concat_ws(' ', 'service', status, desired_state, version, applied_version,
                extract(epoch from activated_at)::bigint) as line from services
            union all select 'check ' || username || ' ' || attribute || ' ' || value
                from radius.radcheck
            union all select 'reply ' || attribute || ' ' || value from radius.radreply
            union all select 'group ' || groupname || ' ' || priority from radius.radusergroup
            union all select concat_ws(' ', 'operation', version, operation, status, job_id)
                from provisioning_operations
            union all select 'event ' || dedup_key from events
            order by 1
            """
        ).map { try $0["line"] }
    }

    private static let active = [
        "check c1 Cleartext-Password pw", "event service.activated:1:1",
        "group plan:fiber-100 10", "operation 1 activate applied job-1",
        "reply Framed-IP-Address 100.64.0.10", "service active active 1 1 1790000000",
    ]

    private static func with(
        username: String = "c1", password: String = "pw",
        _ body: (PostgresPool, FanOutLog) async throws -> Void
    ) async throws {
        try await MigratedDatabase.with { pool in
            try await SeedRows.customer(pool)
            try await SeedRows.service(pool, username: username, password: password)
            try await body(pool, FanOutLog())
        }
    }

    @Test("a pending service becomes active with everything FreeRADIUS needs, and an event")
    func activates() async throws {
        try await Self.with { pool, log in
            let result = try await Self.run(pool, log)
            #expect(result == ["service_id": 1, "status": "active", "version": 1])
            #expect(try await Self.state(pool) == Self.active)
            #expect(log.all.count == 1)
            let payload = try await events(pool)[0].payload
            #expect(payload["event"] == "service.activated")
            #expect(payload["data"]?["customer_id"] == 1)
        }
    }

    @Test("repeats, by the same job or others, change nothing and fan out again")
    func repeats() async throws {
        try await Self.with { pool, log in
            let first = try await Self.run(pool, log)
            for id in ["job-1", "job-1", "job-2"] {
                let again = try await Self.run(
                    pool, log, id: id, at: Self.start.addingTimeInterval(60))
                #expect(again == first)
            }
            #expect(try await Self.state(pool) == Self.active)
            #expect(log.all == [Int64](repeating: log.all[0], count: 4))
        }
    }

    @Test("killed at any step and run again, the end is the same and the event is fanned out")
    func kills() async throws {
        for place in 0..<4 {
            let guillotine = Guillotine(at: place)
            try await Self.with { pool, log in
                if place < 3 {
                    await #expect(throws: Kill.self) {
                        _ = try await Self.run(pool, log, guillotine.checkpoints)
                    }
                }
                let result = try await Self.run(pool, log, guillotine.checkpoints)
                #expect(result == ["service_id": 1, "status": "active", "version": 1])
                #expect(try await Self.state(pool) == Self.active)
                #expect(!log.all.isEmpty)
            }
        }
        #expect(Guillotine(at: 9).passed.isEmpty)
    }

    @Test("a job that comes again after the service was suspended does not switch it back on")
    func lateRepeat() async throws {
        try await Self.with { pool, log in
            let first = try await Self.run(pool, log)
            _ = try await pool.query(
                """
                update services set desired_state = 'suspended', status = 'suspended',
                    version = 2, applied_version = 2
                """)
            let before = try await Self.state(pool)
            #expect(try await Self.run(pool, log) == first)
            #expect(try await Self.state(pool) == before)
            let resumed = try await Self.run(pool, log, id: "job-2")
            #expect(resumed["version"] == 3)
            #expect(try await Self.state(pool).contains("service active active 3 3 1790000000"))
            #expect(try await events(pool).map(\.key).last == "service.activated:1:3")
        }
    }

    @Test("a holder that stalled past its lease changes nothing once its successor has begun")
    func zombie() async throws {
        try await Self.with { pool, log in
            let ledger = PostgresEffectLedger(pool: pool)
            #expect(try await ledger.admit(Fence(2), of: JobID("job-1")) == .open)
            let before = try await Self.state(pool)
            await #expect(throws: LeaseLost.self) {
                _ = try await Self.run(pool, log, fence: Fence(1))
            }
            #expect(try await Self.state(pool) == before)
            #expect(log.all.isEmpty)
            _ = try await Self.run(pool, log, fence: Fence(2))
            #expect(try await Self.state(pool) == Self.active)
        }
    }

    @Test(
        "a repeat after its effect was forgotten, with the service suspended since, changes nothing"
    )
    func forgottenEffect() async throws {
        try await Self.with { pool, log in
            let first = try await Self.run(pool, log)
            _ = try await pool.query("delete from job_effects")
            _ = try await pool.query(
                """
                update services set desired_state = 'suspended', status = 'suspended',
                    version = 2, applied_version = 2
                """)
            let before = try await Self.state(pool)
            #expect(try await Self.run(pool, log) == first)
            #expect(try await Self.state(pool) == before)
        }
    }

    @Test("a wish for active that was written down already keeps its version")
    func pendingWish() async throws {
        try await Self.with { pool, log in
            _ = try await pool.query(
                "update services set desired_state = 'active', version = 5, applied_version = 4")
            #expect(try await Self.run(pool, log)["version"] == 5)
        }
    }

    @Test("ten runs at once make one version")
    func concurrent() async throws {
        try await Self.with { pool, log in
            try await withThrowingTaskGroup { group in
                for number in 0..<10 {
                    group.addTask { _ = try await Self.run(pool, log, id: "job-\(number)") }
                }
                try await group.waitForAll()
            }
            let state = try await Self.state(pool)
            #expect(state.filter { $0.hasPrefix("operation") }.count == 1)
            #expect(state.contains("service active active 1 1 1790000000"))
            #expect(log.all.count == 10)
        }
    }

    @Test("a service that is unknown or terminated is a permanent failure")
    func permanent() async throws {
        try await Self.with { pool, log in
            await #expect(throws: PermanentFailure.self) {
                _ = try await Self.run(pool, log, service: 2)
            }
            for change in ["status = 'terminated'", "desired_state = 'terminated'"] {
                _ = try await pool.query(
                    PostgresQuery(
                        trustedSQL: "update services set status = 'pending',"
                            + " desired_state = 'pending'", name: "test"))
                _ = try await pool.query(
                    PostgresQuery(trustedSQL: "update services set \(change)", name: "test"))
                await #expect(throws: PermanentFailure.self) {
                    _ = try await Self.run(pool, log)
                }
            }
            #expect(try await events(pool).isEmpty)
        }
    }

    @Test(
        "a user name that RADIUS tools would read as syntax is refused, and nothing is written",
        arguments: [
            "a\nb", "a\"b", "a'b", "a,b", "a\\b", "a`b", "a\u{7f}", "a\u{2028}b", "a\u{202e}b", "",
            String(repeating: "x", count: 254),
        ])
    func usernames(username: String) async throws {
        try await Self.with(username: username) { pool, log in
            let failure = await #expect(throws: PermanentFailure.self) {
                _ = try await Self.run(pool, log)
            }
            #expect(failure?.reason.contains("user name") == true)
            let state = try await Self.state(pool)
            #expect(state == ["service pending pending 0 0"])
            #expect(log.all.isEmpty)
        }
    }

    @Test("ordinary user names are taken as they are", arguments: ["c1", "müller@net", "a b-c.d"])
    func goodUsernames(username: String) async throws {
        try await Self.with(username: username) { pool, log in
            _ = try await Self.run(pool, log)
            #expect(
                try await Self.state(pool).contains("check \(username) Cleartext-Password pw"))
        }
    }
}
