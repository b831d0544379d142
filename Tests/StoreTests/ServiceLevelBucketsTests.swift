import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("Buckets of services")
struct ServiceLevelBucketsTests {
    @Test("however many parts there are, they are all of the buckets, each once, and even")
    func parts() {
        for parts in 1...ServiceLevelBuckets.count {
            let ranges = (0..<parts).map { ServiceLevelBuckets(part: $0, of: parts).range }
            #expect(ranges.flatMap(\.self) == Array(0..<ServiceLevelBuckets.count))
            let sizes = ranges.map(\.count)
            #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1, "\(parts) parts: \(sizes)")
        }
    }

    @Test("SQL and Swift put a service into the same bucket, ids below zero too")
    func agreement() async throws {
        try await MigratedDatabase.with { pool in
            let ids: [Int64] = [-257, -256, -1, 0, 1, 255, 256, 257, 1_000_003, .max, .min]
            let found = try await pool.query("select id & 255 as bucket from unnest(\(ids)) id")
                .map { row -> Int64 in try row["bucket"] }
            #expect(found == ids.map { Int64(ServiceLevelBuckets(of: $0).range.lowerBound) })
        }
    }

    @Test("what a shard reads it finds by the indexes: its services, and its month's outages")
    func plans() async throws {
        try await MigratedDatabase.with { pool in
            let given = try await ServiceLevelFixture(pool)
            try await given.history(services: 20_000, months: 12)
            let buckets = ServiceLevelBuckets(part: 3, of: 32).range.map(Int64.init)
            let services = try await Self.plan(
                pool,
                """
                explain select id from services s
                where (s.id & 255) = any(\(buckets)) and s.sla_policy_id is not null
                """)
            #expect(services.contains("services_bucket_idx"), "\(services)")
            let outages = try await Self.plan(
                pool,
                """
                explain (analyze, costs off, timing off, summary off)
                select service_id from outages o where (o.service_id & 255) = any(\(buckets))
                  and coalesce(upper(o.during), 'infinity'::timestamptz)
                    > '2026-12-01Z'::timestamptz
                """)
            #expect(outages.contains("outages_bucket_idx"), "\(outages)")
            #expect(!outages.contains("Rows Removed"), "history was read: \(outages)")
        }
    }

    private static func plan(
        _ pool: PostgresPool, _ query: PostgresQuery
    ) async throws -> String {
        try await pool.query(query).map { row -> String in try row["QUERY PLAN"] }
            .joined(separator: "\n")
    }
}

extension ServiceLevelFixture {
    /// Adds so many services, and an outage of each in each of the last months of 2026.
    func history(services: Int, months: Int) async throws {
        _ = try await pool.query(
            """
            insert into services (id, customer_id, plan_id, site_id, radius_username,
                radius_password, mrc_minor, activated_at, sla_policy_id)
            select i, 1, 1, 1, 'h' || i, 'pw', 4999, '2025-01-01Z', 4
            from generate_series(1, \(services)) i
            """)
        _ = try await pool.query(
            """
            insert into outages (service_id, during, recorded_at)
            select i, tstzrange(at, at + interval '1 hour'), at
            from generate_series(1, \(services)) i, generate_series(0, \(months) - 1) m,
                lateral (select '2026-12-05Z'::timestamptz - make_interval(months => m::integer)
                    + make_interval(secs => i % 86400) as at) x
            """)
        _ = try await pool.query("analyze services")
        _ = try await pool.query("analyze outages")
    }
}
