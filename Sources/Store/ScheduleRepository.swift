package import Foundation
package import Postgres

/// Schedule entries made at run time, and which entries are paused.
///
/// Each change and its line in `schedule_changes` are one statement; changes take turns.
package struct ScheduleRepository: Sendable {
    /// The most rows read: as many as a schedule may have entries, twice, for pauses of those of the file.
    package static let maximumRows = 2000
    /// The largest definition stored, bytes.
    package static let maximumDefinitionBytes = 65_536

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    // MARK: Reading

    /// What tells one state of the table from another, also after a change made by hand.
    package func fingerprint() async throws(PostgresError) -> String {
        let query: PostgresQuery = """
            select count(*) || ':' || coalesce(sum(hashtextextended(e::text, 0)), 0) as fingerprint
            from backhaul.schedule_entries e
            """
        let rows = try await pool.query(query.named("schedule.fingerprint"))
        guard let row = rows.first else { return "" }
        return try row["fingerprint"]
    }

    /// All rows, by name.
    package func all() async throws(PostgresError) -> [ScheduleRecord] {
        let query: PostgresQuery = """
            select name, definition, is_paused, pause_reason, changed_by, changed_at, version
            from backhaul.schedule_entries order by name limit \(Self.maximumRows)
            """
        return try Self.records(await pool.query(query.named("schedule.all")))
    }

    /// What was done, newest first; of one entry or of all.
    package func changes(
        of entry: String? = nil, limit: Int
    ) async throws(PostgresError) -> [ScheduleChange] {
        let query: PostgresQuery = """
            select at, who, what, entry, before::text as before, after::text as after
            from backhaul.schedule_changes
            where \(entry.postgresValue)::text is null or entry = \(entry.postgresValue)::text
            order by id desc limit \(limit)
            """
        var changes: [ScheduleChange] = []
        for row in try await pool.query(query.named("schedule.changes")) {
            guard let what = ScheduleChange.Kind(rawValue: try row["what"]) else {
                throw PostgresError(.decoding, "a change is of a kind that this program lacks")
            }
            changes.append(
                ScheduleChange(
                    at: try row["at"], who: try row["who"], what: what, entry: try row["entry"],
                    before: try row["before"], after: try row["after"]))
        }
        return changes
    }

    // MARK: Changing

    /// Stores a new entry; one of that name is refused, or changed if `replacing`, and stays paused.
    package func add(
        _ name: String, definition: String, replacing: Bool = false, by who: String, at now: Date
    ) async throws(PostgresError) -> ScheduleEdit {
        // A row without a definition is the pause of an entry of the file: nothing is overwritten.
        let query: PostgresQuery = """
            with old as (
                select * from backhaul.schedule_entries where name = \(name)
            ), new as (
                insert into backhaul.schedule_entries as e
                    (name, definition, changed_by, changed_at)
                values (\(name), \(definition), \(who), \(now))
                on conflict (name) do update
                set definition = excluded.definition, changed_by = excluded.changed_by,
                    changed_at = excluded.changed_at, version = e.version + 1
                where e.definition is null or \(replacing)
                returning *
            ), noted as (
                insert into backhaul.schedule_changes (at, who, what, entry, before, after)
                select \(now), \(who), case when old.definition is null then 'add' else 'replace' end,
                    new.name, to_json(old), to_json(new)
                from new left join old using (name)
            )
            select * from new
            """
        let rows = try await edit(query.named("schedule.add"))
        return try Self.records(rows).first.map { .done($0) } ?? .exists
    }

    /// Gives a stored entry another definition, if it is still of the version that was looked at.
    package func change(
        _ name: String, definition: String, from version: Int64, by who: String, at now: Date
    ) async throws(PostgresError) -> ScheduleEdit {
        let query: PostgresQuery = """
            with old as (
                select * from backhaul.schedule_entries
                where name = \(name) and definition is not null
            ), new as (
                update backhaul.schedule_entries e
                set definition = \(definition), changed_by = \(who), changed_at = \(now),
                    version = e.version + 1
                from old where e.name = old.name and old.version = \(version)
                returning e.*
            ), noted as (
                insert into backhaul.schedule_changes (at, who, what, entry, before, after)
                select \(now), \(who), 'change', new.name, to_json(old), to_json(new)
                from new join old using (name)
            )
            select true as is_done, * from new
            union all
            select false, * from old where version <> \(version)
            """
        guard let row = try await edit(query.named("schedule.change")).first else {
            return .missing
        }
        let record = try Self.record(row)
        return try row["is_done"] ? .done(record) : .outdated(record.version)
    }

    /// Pauses an entry, stored or of the file; pausing again changes the reason.
    package func pause(
        _ name: String, because reason: String, by who: String, at now: Date
    ) async throws(PostgresError) -> ScheduleRecord {
        let query: PostgresQuery = """
            with old as (
                select * from backhaul.schedule_entries where name = \(name)
            ), new as (
                insert into backhaul.schedule_entries as e
                    (name, is_paused, pause_reason, changed_by, changed_at)
                values (\(name), true, \(reason), \(who), \(now))
                on conflict (name) do update
                set is_paused = true, pause_reason = excluded.pause_reason,
                    changed_by = excluded.changed_by, changed_at = excluded.changed_at,
                    version = e.version + 1
                returning *
            ), noted as (
                insert into backhaul.schedule_changes (at, who, what, entry, before, after)
                select \(now), \(who), 'pause', new.name, to_json(old), to_json(new)
                from new left join old using (name)
            )
            select * from new
            """
        let rows = try Self.records(await edit(query.named("schedule.pause")))
        guard let record = rows.first else {
            throw PostgresError(.decoding, "a pause that was stored is gone")
        }
        return record
    }

    /// Ends a pause; `missing` when there is none.
    package func resume(
        _ name: String, by who: String, at now: Date
    ) async throws(PostgresError) -> ScheduleEdit {
        let query: PostgresQuery = """
            with old as (
                select * from backhaul.schedule_entries
                where name = \(name) and is_paused
            ), gone as (
                delete from backhaul.schedule_entries e using old
                where e.name = old.name and old.definition is null
            ), new as (
                update backhaul.schedule_entries e
                set is_paused = false, pause_reason = null, changed_by = \(who),
                    changed_at = \(now), version = e.version + 1
                from old where e.name = old.name and old.definition is not null
                returning e.*
            ), noted as (
                insert into backhaul.schedule_changes (at, who, what, entry, before, after)
                select \(now), \(who), 'resume', old.name, to_json(old),
                    case when new.name is not null then to_json(new) end
                from old left join new using (name)
            )
            select old.name as old_name, new.* from old left join new using (name)
            """
        guard let row = try await edit(query.named("schedule.resume")).first else {
            return .missing
        }
        return try row.isNull("definition") ? .removed : .done(Self.record(row))
    }

    /// Removes a stored definition; the pause is kept where the file declares the entry too.
    package func remove(
        _ name: String, keepingPause: Bool = false, by who: String, at now: Date
    ) async throws(PostgresError) -> ScheduleEdit {
        let query: PostgresQuery = """
            with old as (
                select * from backhaul.schedule_entries
                where name = \(name) and definition is not null
            ), gone as (
                delete from backhaul.schedule_entries e using old
                where e.name = old.name and not (old.is_paused and \(keepingPause))
            ), new as (
                update backhaul.schedule_entries e
                set definition = null, changed_by = \(who), changed_at = \(now),
                    version = e.version + 1
                from old where e.name = old.name and old.is_paused and \(keepingPause)
                returning e.*
            ), noted as (
                insert into backhaul.schedule_changes (at, who, what, entry, before, after)
                select \(now), \(who), 'remove', old.name, to_json(old),
                    case when new.name is not null then to_json(new) end
                from old left join new using (name)
            )
            select old.name as old_name, new.* from old left join new using (name)
            """
        guard let row = try await edit(query.named("schedule.remove")).first else {
            return .missing
        }
        return try row.isNull("version") ? .removed : .done(Self.record(row))
    }

    /// Runs a change after those under way have been committed.
    ///
    /// They are few, and so each sees the row as the one before it left it, or none.
    private func edit(_ query: PostgresQuery) async throws(PostgresError) -> PostgresRows {
        let lock: PostgresQuery = "select pg_advisory_xact_lock(\(Self.editLock))"
        let results = try await pool.batch([lock.named("schedule.lock"), query])
        return results[1]
    }

    /// What edits take turns on: `backhaul` and `edit`, in ASCII.
    private static let editLock: Int64 = 0x6261_636b_6564_6974

    // MARK: Decoding

    private static func records(_ rows: PostgresRows) throws(PostgresError) -> [ScheduleRecord] {
        var records: [ScheduleRecord] = []
        records.reserveCapacity(rows.count)
        for row in rows { records.append(try record(row)) }
        return records
    }

    private static func record(_ row: PostgresRow) throws(PostgresError) -> ScheduleRecord {
        ScheduleRecord(
            name: try row["name"], definition: try row["definition"],
            isPaused: try row["is_paused"], pauseReason: try row["pause_reason"],
            changedBy: try row["changed_by"], changedAt: try row["changed_at"],
            version: try row["version"])
    }
}
