import Foundation
import Postgres
import TestSupport
import Testing

@Suite("Partitions by day are made ahead and dropped")
struct PartitionTests {
    private func with(_ body: (PostgresPool) async throws -> Void) async throws {
        try await MigratedDatabase.with { pool in
            _ = try await pool.query("create schema other")
            _ = try await pool.query(
                """
                create table other."Odd Name" (
                    id bigint generated always as identity, at timestamptz not null,
                    note text not null default 'none' check (note <> ''), primary key (id, at)
                ) partition by range (at)
                """)
            _ = try await pool.query(
                #"create table other.rest partition of other."Odd Name" default"#)
            _ = try await pool.query(#"create index on other."Odd Name" (note)"#)
            try await body(pool)
        }
    }

    private func make(_ start: String, _ days: Int, _ pool: PostgresPool) async throws -> Int {
        let rows = try await pool.query(
            """
            select backhaul.make_partitions('other."Odd Name"', \(start)::date, \(days)::integer)
                as count
            """)
        return try rows[0]["count"]
    }

    private func drop(_ before: String, _ pool: PostgresPool) async throws -> Int {
        let rows = try await pool.query(
            "select backhaul.drop_partitions('other.\"Odd Name\"', \(before)::date) as count")
        return try rows[0]["count"]
    }

    private func insert(_ at: String, _ pool: PostgresPool) async throws {
        _ = try await pool.query(
            #"insert into other."Odd Name" (at) values (\#(at)::timestamptz)"#)
    }

    /// Table and number of rows, of those that have any.
    private func rows(_ pool: PostgresPool) async throws -> [String: Int] {
        let found = try await pool.query(
            """
            select c.relname, count(*) as count from other."Odd Name" t
            join pg_class c on c.oid = t.tableoid group by 1
            """)
        var counts: [String: Int] = [:]
        for row in found { counts[try row["relname"]] = try row["count"] }
        return counts
    }

    @Test("days are those of UTC; what is there already is left alone")
    func make() async throws {
        try await with { pool in
            #expect(try await make("2026-02-27", 3, pool) == 3)
            #expect(try await make("2026-02-27", 4, pool) == 1)
            try await insert("2026-02-28T23:59:59.999Z", pool)
            try await insert("2026-03-01T00:30:00+01:00", pool)
            try await insert("2026-03-01T00:00:00Z", pool)
            try await insert("2026-03-09T00:00:00Z", pool)
            #expect(
                try await rows(pool) == [
                    "Odd Name_20260228": 2, "Odd Name_20260301": 1, "rest": 1,
                ])
        }
    }

    @Test("rows that went to the default partition meanwhile are moved")
    func move() async throws {
        try await with { pool in
            try await insert("2026-03-01T12:00:00Z", pool)
            try await insert("2026-03-02T12:00:00Z", pool)
            #expect(try await make("2026-03-01", 1, pool) == 1)
            #expect(try await rows(pool) == ["Odd Name_20260301": 1, "rest": 1])
            // The new one has the parent's rules and indexes.
            await #expect(throws: PostgresError.self) {
                _ = try await pool.query(
                    """
                    insert into other."Odd Name" (at, note) values ('2026-03-01T12:00:00Z', '')
                    """)
            }
            let indexes = try await pool.query(
                "select 1 as one from pg_indexes where tablename = 'Odd Name_20260301'")
            #expect(indexes.count == 2)
        }
    }

    @Test("old days are dropped, and what is as old in the default partition")
    func drop() async throws {
        try await with { pool in
            _ = try await make("2026-02-28", 3, pool)
            _ = try await pool.query(
                #"create table other."Odd Name_manual" (id bigint, at timestamptz, note text)"#)
            for day in ["2026-01-01", "2026-02-28", "2026-03-01", "2026-03-02"] {
                try await insert("\(day)T00:00:00Z", pool)
            }
            #expect(try await drop("2026-03-01", pool) == 1)
            #expect(try await rows(pool) == ["Odd Name_20260301": 1, "Odd Name_20260302": 1])
            #expect(try await drop("2026-03-01", pool) == 0)
            #expect(try await drop("2027-01-01", pool) == 2)
        }
    }

    @Test("two who make partitions at once make each once, while others write")
    func race() async throws {
        try await with { pool in
            let made = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<3 {
                    group.addTask { try await make("2026-03-01", 5, pool) }
                }
                for hour in 0..<20 {
                    group.addTask {
                        let at = "2026-03-0\(1 + hour % 5)T0\(hour % 10):00:00Z"
                        do { try await insert(at, pool) } catch let error as PostgresError {
                            // Was on its way to the default partition when that day got its own.
                            guard error.sqlState == .checkViolation else { throw error }
                            try await insert(at, pool)
                        }
                        return 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(made == 5)
            #expect(try await rows(pool).values.reduce(0, +) == 20)
        }
    }

    @Test("a table without a default partition, by date, works as well")
    func byDate() async throws {
        try await MigratedDatabase.with { pool in
            _ = try await pool.query(
                "create table days (day date not null) partition by range (day)")
            let rows = try await pool.query(
                "select backhaul.make_partitions('days', '2026-03-01', 2) as count")
            #expect(try rows[0]["count"] == 2)
            _ = try await pool.query("insert into days values ('2026-03-01'), ('2026-03-02')")
            let dropped = try await pool.query(
                "select backhaul.drop_partitions('days', '2026-03-02') as count")
            #expect(try dropped[0]["count"] == 1)
            let left = try await pool.query("select day::text as day from days")
            #expect(try left[0]["day"] == "2026-03-02")
        }
    }

    @Test("the history of ticks has partitions from the start")
    func ticks() async throws {
        try await MigratedDatabase.with { pool in
            let rows = try await pool.query(
                """
                select count(*) as count from pg_inherits
                where inhparent = 'backhaul.ticks'::regclass
                """)
            #expect(try rows[0]["count"] == 8)
        }
    }
}
