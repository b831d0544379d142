import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("Migrator") struct MigratorTests {
    private static let people = Migration(
        1, "people",
        up: Array(
            """
            -- Two statements, a function body with semicolons, and text beyond ASCII: ñ.
            create table people (id bigint primary key, name text not null default 'ñ; --');
            create function people_count() returns bigint language plpgsql as $$
            begin return (select count(*) from people); end $$;
            """.utf8),
        down: Array("drop function people_count(); drop table people;".utf8))
    private static let pets = Migration(
        2, "pets",
        up: Array("create table pets (owner bigint references people (id), name text);".utf8),
        down: Array("drop table pets;".utf8))
    private static let index = Migration(
        5, "pet-names", up: Array("create index pets_name_idx on pets (name);".utf8),
        down: Array("drop index pets_name_idx;".utf8))
    private static let all = [people, pets, index]

    /// Everything the catalogue says of the public schema's own objects.
    private func schema(_ pool: PostgresPool) async throws -> [String] {
        let rows = try await pool.query(
            """
            select format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable,
                column_default) as line
            from information_schema.columns
            where table_schema = 'public' and table_name <> 'backhaul_migrations'
            union all
            select indexdef from pg_indexes
            where schemaname = 'public' and tablename <> 'backhaul_migrations'
            union all
            select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
            where connamespace = 'public'::regnamespace
                and conrelid <> 'backhaul_migrations'::regclass
            union all
            select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
            order by 1
            """)
        return try rows.map { row in try row["line"] }
    }

    @Test("up, down and up again lead to the same schema")
    func roundTrip() async throws {
        try await PostgresServer.shared.withPool { pool async throws in
            let migrator = Migrator(pool: pool, migrations: Self.all)
            #expect(try await migrator.up() == Self.all)
            let first = try await schema(pool)
            #expect(first.count == 9)
            #expect(try await migrator.up() == [])
            #expect(try await migrator.down(steps: 99) == Self.all.reversed())
            #expect(try await schema(pool) == [])
            #expect(try await migrator.up() == Self.all)
            #expect(try await schema(pool) == first)
        }
    }

    @Test("up and down stop where they are told")
    func steps() async throws {
        try await PostgresServer.shared.withPool { pool async throws in
            let migrator = Migrator(pool: pool, migrations: Self.all)
            #expect(try await migrator.up(to: 2) == [Self.people, Self.pets])
            #expect(try await migrator.status().map(\.version) == [1, 2, 5])
            let states = try await migrator.status().map(\.state)
            #expect(states[2] == .pending)
            guard case .applied(let date) = states[1] else {
                Issue.record("\(states[1])")
                return
            }
            let age: Double = try await pool.query(
                "select extract(epoch from now() - \(date))::float8 as age")[0]["age"]
            #expect((0..<60).contains(age))
            #expect(try await migrator.down() == [Self.pets])
            #expect(try await migrator.down(steps: 0) == [])
        }
    }

    @Test("migrators that start at once apply each migration once")
    func race() async throws {
        try await PostgresServer.shared.withDatabase { url in
            let applied = try await withThrowingTaskGroup(of: [Migration].self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        let pool = PostgresServer.pool(url)
                        let done = try await Migrator(pool: pool, migrations: Self.all).up()
                        await pool.shutdown()
                        return done
                    }
                }
                return try await group.reduce([], +)
            }
            #expect(applied.map(\.version).sorted() == [1, 2, 5])
        }
    }

    @Test("a role named like our own schema keeps its tables where they were")
    func schemaOfTheRole() async throws {
        let own = Migration(
            1, "own", up: Array("create schema backhaul;".utf8),
            down: Array("drop schema backhaul;".utf8))
        let migrations =
            [own]
            + Self.all.map { migration in
                Migration(
                    migration.version + 1, migration.name, up: migration.up, down: migration.down)
            }
        try await PostgresServer.shared.withDatabase { url in
            let admin = PostgresServer.pool(url)
            _ = try await admin.query(
                """
                do $$ begin execute format(
                    'alter database %I set search_path = backhaul, public', current_database());
                end $$
                """)
            await admin.shutdown()
            let pool = PostgresServer.pool(url)
            let migrator = Migrator(pool: pool, migrations: migrations)
            #expect(try await migrator.up() == migrations)
            #expect(try await migrator.up() == [])
            let rows = try await pool.query(
                """
                select schemaname || '.' || tablename as name from pg_tables
                where schemaname in ('backhaul', 'public') order by 1
                """)
            #expect(
                try rows.map { row in try row["name"] as String }
                    == ["public.backhaul_migrations", "public.people", "public.pets"])
            await pool.shutdown()
        }
    }

    @Test("an applied migration that was edited stops everything")
    func checksum() async throws {
        try await PostgresServer.shared.withPool { pool async throws in
            _ = try await Migrator(pool: pool, migrations: [Self.people]).up()
            let edited = Migration(
                1, "people", up: Self.people.up + Array(" ".utf8), down: Self.people.down)
            let migrator = Migrator(pool: pool, migrations: [edited, Self.pets])
            let up = await #expect(throws: MigrationError.self) { try await migrator.up() }
            #expect(up?.code == .checksumMismatch && up?.version == 1)
            let down = await #expect(throws: MigrationError.self) { try await migrator.down() }
            #expect(down?.code == .checksumMismatch)
            guard case .changed = try await migrator.status()[0].state else {
                Issue.record("the status does not show it")
                return
            }
        }
    }

    @Test("a failing migration leaves nothing behind and names itself")
    func failing() async throws {
        try await PostgresServer.shared.withPool { pool async throws in
            let broken = Migration(
                2, "broken", up: Array("create table half (n int); select 1/0;".utf8), down: [])
            let migrator = Migrator(pool: pool, migrations: [Self.people, broken])
            let error = await #expect(throws: MigrationError.self) { try await migrator.up() }
            #expect(error?.code == .failed && error?.version == 2)
            #expect((error?.underlying as? PostgresError)?.sqlState == .divisionByZero)
            #expect(try await migrator.status().map(\.state).last == .pending)
            let half = try await pool.query("select to_regclass('half') is null as gone")
            #expect(try half[0]["gone"] == true)
        }
    }

    @Test("a script that ends its own transaction is refused")
    func committing() async throws {
        try await PostgresServer.shared.withPool { pool async throws in
            let rogue = Migration(1, "rogue", up: Array("commit;".utf8), down: [])
            let migrator = Migrator(pool: pool, migrations: [rogue])
            let error = await #expect(throws: MigrationError.self) { try await migrator.up() }
            #expect(error?.code == .failed)
            #expect(try await migrator.status().map(\.state) == [.pending])
        }
    }

    @Test("a history that is not this program's is refused")
    func foreign() async throws {
        try await PostgresServer.shared.withPool { pool async throws in
            _ = try await Migrator(pool: pool, migrations: [Self.people, Self.pets]).up()
            let older = Migrator(pool: pool, migrations: [Self.people])
            let unknown = await #expect(throws: MigrationError.self) { try await older.up() }
            #expect(unknown?.code == .unknownVersion && unknown?.version == 2)
            _ = try await pool.query("delete from backhaul_migrations where version = 1")
            let gap = await #expect(throws: MigrationError.self) {
                try await Migrator(pool: pool, migrations: Self.all).up()
            }
            #expect(gap?.code == .outOfOrder && gap?.version == 1)
        }
    }

    @Test("a migration without a way back says so")
    func irreversible() async throws {
        try await PostgresServer.shared.withPool { pool async throws in
            let oneWay = Migration(1, "one-way", up: Array("create table t (n int)".utf8), down: [])
            let migrator = Migrator(pool: pool, migrations: [oneWay])
            _ = try await migrator.up()
            let error = await #expect(throws: MigrationError.self) { try await migrator.down() }
            #expect(error?.code == .irreversible)
            #expect(try await pool.query("select n from t").isEmpty)
        }
    }

    @Test("every migration file is in the list, under its own version and name")
    func listed() throws {
        let folder = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Sources/Store/Migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix("m") && $0.hasSuffix(".sql") }
        var expected: Set<String> = []
        for migration in Migrations.all {
            let digits = String(migration.version)
            let number = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            for (script, way) in [(migration.up, "up"), (migration.down, "down")] {
                let name = "m\(number)-\(migration.name).\(way).sql"
                expected.insert(name)
                let data = try Data(contentsOf: folder.appendingPathComponent(name))
                #expect(Array(data) == script, "\(name) is not what the list holds")
            }
        }
        #expect(Set(files) == expected)
    }
}
