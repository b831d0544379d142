import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("Schedule entries are stored, changed and removed, and nothing is done without a trace")
struct ScheduleRepositoryTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let ping = #"{"job": "backhaul.ping", "every": "30s"}"#
    private let poll = #"{"job": "backhaul.ping", "every": "60s"}"#

    private func with(_ body: (ScheduleRepository, PostgresPool) async throws -> Void) async throws
    {
        try await MigratedDatabase.with { pool in
            try await body(ScheduleRepository(pool: pool), pool)
        }
    }

    @Test("an entry is added once; the second time only on request")
    func add() async throws {
        try await with { store, _ in
            let wanted = ScheduleRecord(
                name: "a", definition: ping, changedBy: "ada", changedAt: now)
            #expect(try await store.add("a", definition: ping, by: "ada", at: now) == .done(wanted))
            #expect(try await store.add("a", definition: poll, by: "bob", at: now) == .exists)
            #expect(try await store.all() == [wanted])
            let edit = try await store.add(
                "a", definition: poll, replacing: true, by: "bob", at: now)
            let replaced = ScheduleRecord(
                name: "a", definition: poll, changedBy: "bob", changedAt: now, version: 2)
            #expect(edit == .done(replaced))
            let changes = try await store.changes(of: "a", limit: 10)
            #expect(changes.map(\.what) == [.replace, .add])
            #expect(changes.map(\.who) == ["bob", "ada"])
            #expect(changes[1].before == nil)
            #expect(changes[0].before?.contains("30s") == true)
            #expect(changes[0].after?.contains("60s") == true)
        }
    }

    @Test("a change is refused when somebody else was faster")
    func optimistic() async throws {
        try await with { store, _ in
            #expect(
                try await store.change("a", definition: poll, from: 1, by: "x", at: now) == .missing
            )
            _ = try await store.add("a", definition: ping, by: "ada", at: now)
            let first = try await store.change("a", definition: poll, from: 1, by: "ada", at: now)
            guard case .done(let record) = first else {
                Issue.record("\(first)")
                return
            }
            #expect(record.version == 2)
            #expect(
                try await store.change("a", definition: ping, from: 1, by: "bob", at: now)
                    == .outdated(2))
            #expect(try await store.all().map(\.definition) == [poll])
            #expect(try await store.changes(limit: 10).map(\.what) == [.change, .add])
        }
    }

    @Test("of many who change the same version at once, one succeeds, and one line tells of it")
    func race() async throws {
        try await with { store, _ in
            _ = try await store.add("a", definition: ping, by: "ada", at: now)
            let edits = try await withThrowingTaskGroup(of: ScheduleEdit.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        try await store.change(
                            "a", definition: poll, from: 1, by: "racer \(number)", at: now)
                    }
                }
                var edits: [ScheduleEdit] = []
                for try await edit in group { edits.append(edit) }
                return edits
            }
            #expect(edits.count { $0 == .outdated(2) } == 7)
            #expect(try await store.changes(limit: 100).count == 2)
        }
    }

    @Test("pause and resume leave a stored entry's definition alone, and one of the file no row")
    func pause() async throws {
        try await with { store, _ in
            _ = try await store.add("stored", definition: ping, by: "ada", at: now)
            let paused = try await store.pause("stored", because: "why", by: "bob", at: now)
            #expect(paused.isPaused && paused.definition == ping && paused.pauseReason == "why")
            _ = try await store.pause("declared", because: "prices", by: "bob", at: now)
            #expect(try await store.all().map(\.name) == ["declared", "stored"])
            guard case .done(let resumed) = try await store.resume("stored", by: "ada", at: now)
            else {
                Issue.record("not resumed")
                return
            }
            #expect(!resumed.isPaused && resumed.pauseReason == nil && resumed.version == 3)
            #expect(try await store.resume("declared", by: "ada", at: now) == .removed)
            #expect(try await store.resume("declared", by: "ada", at: now) == .missing)
            #expect(try await store.all().map(\.name) == ["stored"])
            #expect(
                try await store.changes(of: "declared", limit: 9).map(\.what) == [.resume, .pause])
        }
    }

    @Test(
        "a paused entry that is replaced stays paused; removed, it is gone, or only its pause stays"
    )
    func remove() async throws {
        try await with { store, _ in
            _ = try await store.pause("a", because: "why", by: "bob", at: now)
            #expect(try await store.remove("a", by: "bob", at: now) == .missing)
            guard
                case .done(let added) = try await store.add(
                    "a", definition: ping, by: "ada", at: now)
            else {
                Issue.record("not added")
                return
            }
            #expect(added.isPaused && added.definition == ping)
            guard
                case .done(let rest) = try await store.remove(
                    "a", keepingPause: true, by: "ada", at: now)
            else {
                Issue.record("the pause is gone")
                return
            }
            #expect(rest.isPaused && rest.definition == nil)
            _ = try await store.add("a", definition: ping, by: "ada", at: now)
            #expect(try await store.remove("a", by: "ada", at: now) == .removed)
            #expect(try await store.all().isEmpty)
            let changes = try await store.changes(limit: 9)
            #expect(changes.map(\.what) == [.remove, .add, .remove, .add, .pause])
            #expect(changes[0].after == nil)
        }
    }

    @Test(
        "the fingerprint changes with every change, also one made by hand, and comes back with it")
    func fingerprint() async throws {
        try await with { store, pool in
            let empty = try await store.fingerprint()
            _ = try await store.add("a", definition: ping, by: "ada", at: now)
            let one = try await store.fingerprint()
            _ = try await pool.query("update backhaul.schedule_entries set pause_reason = 'x'")
            let touched = try await store.fingerprint()
            #expect(Set([empty, one, touched]).count == 3)
            #expect(try await store.fingerprint() == touched)
            _ = try await store.remove("a", by: "ada", at: now)
            #expect(try await store.fingerprint() == empty)
        }
    }

    @Test(
        "nobody rewrites what was done",
        arguments: [
            "update backhaul.schedule_changes set who = 'nobody'",
            "delete from backhaul.schedule_changes",
        ])
    func changesStay(statement: String) async throws {
        try await with { store, pool in
            _ = try await store.add("a", definition: ping, by: "ada", at: Date())
            await #expect(throws: PostgresError.self) {
                _ = try await pool.query(PostgresQuery(trustedSQL: statement, name: "test.rewrite"))
            }
            #expect(try await store.changes(limit: 9).map(\.who) == ["ada"])
        }
    }

    @Test("what was done long ago may be deleted")
    func oldChangesGo() async throws {
        try await with { store, pool in
            _ = try await store.add(
                "a", definition: ping, by: "ada", at: Date(timeIntervalSince1970: 0))
            _ = try await pool.query("delete from backhaul.schedule_changes")
            #expect(try await store.changes(limit: 9).isEmpty)
        }
    }
}
