import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("Days of history")
struct HistoryDaysTests {
    /// A day in the past, so that the test is the only one that makes days around it.
    private static let day = Date(timeIntervalSince1970: 1_600_000_000)

    private static func log(_ number: Int, at date: Date, _ pool: PostgresPool) async throws {
        _ = try await pool.query(Self.entry(number, at: date))
    }

    private static func entry(_ number: Int, at date: Date) -> PostgresQuery {
        """
        insert into webhook_attempts (delivery_id, attempt, at, status, elapsed_ms)
        values (1, \(number)::integer, \(date), 200, 1)
        """
    }

    /// Which partition holds each attempt, in the order of attempts.
    private static func places(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            "select tableoid::regclass::text as place from webhook_attempts order by attempt"
        ).map { try $0["place"] }
    }

    private static func turn(
        _ pool: PostgresPool, keepingDays days: Double = 30, at now: Date = day
    ) async throws -> PartitionChanges {
        try await RetentionRepository(pool: pool).turn(
            .webhookAttempts, keepingSince: now.addingTimeInterval(-days * 86_400), at: now,
            daysAhead: 7)
    }

    @Test("eight days are made once; a row goes to its own; what is older is dropped, no row else")
    func turning() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let first = try await Self.turn(pool)
            #expect(first.made == 8)
            #expect(first.dropped == 0)
            #expect(try await Self.turn(pool).made == 0)
            try await Self.log(1, at: Self.day, pool)
            try await Self.log(2, at: Self.day.addingTimeInterval(86_400), pool)
            #expect(
                try await Self.places(pool)
                    == ["webhook_attempts_20200913", "webhook_attempts_20200914"])
            let later = Self.day.addingTimeInterval(31 * 86_400)
            let second = try await Self.turn(pool, at: later)
            #expect(second.made == 8)
            #expect(second.dropped == 1)
            #expect(try await Self.places(pool) == ["webhook_attempts_20200914"])
        }
    }

    @Test("rows without a day get theirs; those of a day that nobody expects are told of")
    func strays() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let past = Self.day.addingTimeInterval(-3 * 86_400)
            let ancient = Self.day.addingTimeInterval(-40 * 86_400)
            let future = Self.day.addingTimeInterval(3000 * 86_400)
            for (number, date) in [past, past, Self.day, ancient, future].enumerated() {
                try await Self.log(number + 1, at: date, pool)
            }
            let places = try await Self.places(pool)
            #expect(places == Array(repeating: "webhook_attempts_default", count: 5))
            let changes = try await Self.turn(pool)
            #expect(changes.made == 9)
            #expect(changes.unplaced == 1)
            #expect(
                try await Self.places(pool) == [
                    "webhook_attempts_20200910", "webhook_attempts_20200910",
                    "webhook_attempts_20200913", "webhook_attempts_default",
                ])
        }
    }

    @Test("a table in use is left after two seconds: its writer goes on, and the next run drops")
    func inUse() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            _ = try await Self.turn(pool)
            try await Self.log(1, at: Self.day, pool)
            let later = Self.day.addingTimeInterval(40 * 86_400)
            let clock = ContinuousClock()
            try await pool.transaction { transaction in
                _ = try await transaction.query(Self.entry(2, at: later))
                let start = clock.now
                let changes = try await Self.turn(pool, at: later)
                #expect(changes.isPostponed)
                #expect(changes.dropped == 0)
                // Two waits of two seconds at most, and this machine's moods.
                #expect(clock.now - start < .seconds(15))
                _ = try await transaction.query(Self.entry(3, at: later))
            }
            let changes = try await Self.turn(pool, at: later)
            #expect(!changes.isPostponed)
            #expect(changes.dropped == 8)
            #expect(
                try await Self.places(pool)
                    == ["webhook_attempts_20201023", "webhook_attempts_20201023"])
        }
    }

    @Test("many runs at once make each day once, and drop each once")
    func manyRuns() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            for later in [0, 60.0 * 86_400] {
                // Strays as well, so that the default partition is read and then changed.
                try await Self.log(1, at: Self.day.addingTimeInterval(later), pool)
                let changes = try await withThrowingTaskGroup(of: PartitionChanges.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            try await Self.turn(pool, at: Self.day.addingTimeInterval(later))
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(changes.map(\.made).reduce(0, +) == 8)
                #expect(changes.map(\.dropped).reduce(0, +) == (later > 0 ? 8 : 0))
                #expect(changes.allSatisfy { !$0.isPostponed })
            }
        }
    }

    @Test("what was logged before the days is kept, moved by neither way, and is dropped as one")
    func migration() async throws {
        try await PostgresServer.shared.withPool { pool in
            let migrator = Migrator(pool: pool)
            _ = try await migrator.up(to: 10)
            try await Self.seedDeliveries(pool)
            for attempt in 1...3 {
                try await Self.log(
                    attempt, at: Self.day.addingTimeInterval(Double(attempt) * 86_400), pool)
            }
            let before = try await Self.attempts(pool)
            _ = try await migrator.up(to: 11)
            #expect(try await Self.attempts(pool) == before)
            #expect(Set(try await Self.places(pool)).count == 1)
            _ = try await migrator.down()
            #expect(try await Self.attempts(pool) == before)
            _ = try await migrator.up(to: 11)
            // The attempts of today go to the same partition, so it lives as long as they do.
            let now = try await RetentionRepository(pool: pool).now()
            #expect(try await Self.turn(pool, keepingDays: 1, at: now).dropped == 0)
            let later = now.addingTimeInterval(40 * 86_400)
            #expect(try await Self.turn(pool, at: later).dropped >= 1)
            #expect(try await Self.attempts(pool) == [])
        }
    }

    private static func seedDeliveries(_ pool: PostgresPool) async throws {
        _ = try await pool.query(
            "insert into webhook_endpoints (id, url, types, secrets) values (1, 'http://h/', '{*}', '{s}')"
        )
        _ = try await pool.query(
            """
            insert into events (id, type, payload, occurred_at, dedup_key)
            values (1, 'a.b', '', now(), 'k')
            """)
        _ = try await pool.query(
            """
            insert into webhook_deliveries (id, event_id, endpoint_id, next_at)
            values (1, 1, 1, now())
            """)
    }

    private static func attempts(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            "select (a.*)::text as line from webhook_attempts a order by delivery_id, attempt"
        ).map { try $0["line"] }
    }
}
