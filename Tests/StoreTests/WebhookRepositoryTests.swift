import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("Webhook endpoints and deliveries")
struct WebhookRepositoryTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func attempt(
        status: Int? = 200, error: String? = nil, response: [UInt8] = []
    ) -> WebhookAttempt {
        WebhookAttempt(
            at: Self.now, status: status, errorCode: error, elapsed: .milliseconds(12),
            address: "127.0.0.1", response: response)
    }

    /// One event with a delivery to one endpoint.
    private func delivery(_ pool: PostgresPool) async throws -> WebhookDelivery {
        let endpoints = WebhookEndpointRepository(pool: pool)
        _ = try await endpoints.add(url: "http://h/", types: ["*"], secrets: ["s1"])
        let event = try await pool.transaction { transaction in
            try await EventRepository().record(
                type: "a.b", key: "k", data: Array("{}".utf8), at: Self.now, in: transaction)
        }
        let webhooks = WebhookRepository(pool: pool)
        #expect(try await webhooks.makeDeliveries(of: event, at: Self.now) == .waiting)
        let ids = try await webhooks.pendingDeliveries(of: event, after: 0, limit: 10)
        let id = try #require(ids.first)
        return try #require(await webhooks.delivery(id))
    }

    private func state(_ pool: PostgresPool) async throws -> String {
        let rows = try await pool.query(
            "select state || ' ' || attempt as text from webhook_deliveries")
        return try rows[0]["text"]
    }

    @Test("a delivery that was decided stays so, and a late attempt is logged all the same")
    func lateAttempt() async throws {
        try await MigratedDatabase.with { pool in
            let webhooks = WebhookRepository(pool: pool)
            let delivery = try await delivery(pool)
            try await webhooks.record(
                attempt(status: 503), of: delivery, as: .pending(until: Self.now))
            #expect(try await state(pool) == "pending 1")
            try await webhooks.record(attempt(), of: delivery, as: .delivered)
            #expect(try await state(pool) == "delivered 2")
            try await webhooks.record(
                attempt(status: nil, error: "timeout"), of: delivery, as: .failed)
            #expect(try await state(pool) == "delivered 3")
            try await webhooks.markDisabled(delivery.id)
            #expect(try await state(pool) == "delivered 3")
            let rows = try await pool.query("select attempt from webhook_attempts")
            #expect(rows.count == 3)
        }
    }

    @Test("attempts recorded at the same time are numbered one after another")
    func simultaneousAttempts() async throws {
        try await MigratedDatabase.with { pool in
            let webhooks = WebhookRepository(pool: pool)
            let delivery = try await delivery(pool)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        try await webhooks.record(
                            attempt(status: 500), of: delivery, as: .pending(until: Self.now))
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await state(pool) == "pending 16")
            let rows = try await pool.query(
                "select max(attempt) as n from webhook_attempts having count(*) = 16")
            let greatest: Int = try #require(rows.first)["n"]
            #expect(greatest == 16)
        }
    }

    @Test(
        "any response can be kept, cut to a kilobyte",
        arguments: [
            [], [0, 65, 0], [UInt8](repeating: 0xff, count: 5000),
            Array(String(repeating: "é", count: 2000).utf8),
            [65] + Array(String(repeating: "🦊", count: 500).utf8),
        ])
    func excerpts(response: [UInt8]) async throws {
        try await MigratedDatabase.with { pool in
            let delivery = try await delivery(pool)
            try await WebhookRepository(pool: pool).record(
                attempt(response: response), of: delivery, as: .delivered)
            let rows = try await pool.query(
                "select octet_length(response_excerpt) as n from webhook_attempts")
            let size: Int = try rows[0]["n"]
            #expect(size <= WebhookAttempt.maximumExcerpt)
            #expect(size >= min(response.count, WebhookAttempt.maximumExcerpt) - 3)
        }
    }

    @Test("two sweeps at once never take the same row")
    func sweeps() async throws {
        try await MigratedDatabase.with { pool in
            _ = try await delivery(pool)
            _ = try await pool.query(
                """
                insert into webhook_endpoints (url, types, secrets)
                select 'http://h/', array['*'], array['s'] from generate_series(1, 200)
                """)
            _ = try await pool.query(
                """
                insert into webhook_deliveries (event_id, endpoint_id, next_at)
                select e.id, p.id, \(Self.now) from events e, webhook_endpoints p
                on conflict do nothing
                """)
            let webhooks = WebhookRepository(pool: pool)
            let taken = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await webhooks.takeOverdueDeliveries(
                            dueBefore: Self.now.addingTimeInterval(1),
                            at: Self.now.addingTimeInterval(2), limit: 50)
                    }
                }
                var all: [Int64] = []
                for try await ids in group {
                    #expect(ids.count <= 50)
                    all += ids
                }
                return all
            }
            #expect(Set(taken).count == taken.count)
            #expect(taken.count <= 201)
            #expect(taken.count >= 50)
        }
    }

    @Test("a rotation keeps the newest old secret, and is not undone by a repeat")
    func rotation() async throws {
        try await MigratedDatabase.with { pool in
            let endpoints = WebhookEndpointRepository(pool: pool)
            let webhooks = WebhookRepository(pool: pool)
            let delivery = try await delivery(pool)
            let endpoint = delivery.endpointID
            func secrets() async throws -> [String] {
                try #require(await webhooks.delivery(delivery.id)).secrets
            }
            #expect(try await endpoints.rotate(endpoint, to: "s2"))
            #expect(try await secrets() == ["s2", "s1"])
            #expect(try await !endpoints.rotate(endpoint, to: "s2"))
            #expect(try await secrets() == ["s2", "s1"])
            #expect(try await endpoints.rotate(endpoint, to: "s3"))
            #expect(try await secrets() == ["s3", "s2"])
            try await endpoints.dropOldSecrets(of: endpoint)
            #expect(try await secrets() == ["s3"])
            #expect(try await !endpoints.rotate(4711, to: "s4"))
        }
    }

    @Test("an endpoint without types or secrets, or with another protocol, is refused")
    func constraints() async throws {
        try await MigratedDatabase.with { pool in
            let endpoints = WebhookEndpointRepository(pool: pool)
            for (url, types, secrets) in [
                ("http://h/", [], ["s"]), ("http://h/", ["*"], []), ("ftp://h/", ["*"], ["s"]),
                ("http://h/", ["*"], ["1", "2", "3", "4", "5", "6"]),
            ] {
                let error = await #expect(throws: PostgresError.self) {
                    try await endpoints.add(url: url, types: types, secrets: secrets)
                }
                #expect(error?.sqlState == .checkViolation)
            }
        }
    }

    @Test("a disabled endpoint gets nothing new until it is enabled")
    func disabling() async throws {
        try await MigratedDatabase.with { pool in
            let endpoints = WebhookEndpointRepository(pool: pool)
            let webhooks = WebhookRepository(pool: pool)
            let delivery = try await delivery(pool)
            try await endpoints.disable(delivery.endpointID, because: "test")
            #expect(try await webhooks.delivery(delivery.id)?.isEndpointActive == false)
            try await endpoints.enable(delivery.endpointID)
            #expect(try await webhooks.delivery(delivery.id)?.isEndpointActive == true)
        }
    }
}
