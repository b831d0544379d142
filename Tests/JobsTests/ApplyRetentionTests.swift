import Foundation
import JobModel
import Jobs
import Logging
import Postgres
import Store
import TestSupport
import Testing

@Suite("Keeping history from growing", .timeLimit(.minutes(5)))
struct ApplyRetentionTests {
    private static let day: TimeInterval = 86_400

    @Test("over 130 days every table holds what it keeps, and no row lies outside its day")
    func manyDays() async throws {
        try await RetentionWorld.with { (world) async throws in
            try await world.addEndpoint()
            var keeps = RetentionKeeps()
            keeps.ticks = .days(20)
            keeps.webhookAttempts = .days(10)
            keeps.events = .days(15)
            keeps.inbox = .days(8)
            keeps.dedup = .days(7)
            keeps.parked = .days(9)
            let start = world.now.addingTimeInterval(-140 * Self.day)
            for number in 1...130 {
                let date = start.addingTimeInterval(Double(number) * Self.day)
                try await world.live(through: date, number: number)
                // One second later than the rows, so that those of the last kept day are kept.
                let result = try await world.run(at: date.addingTimeInterval(1), keeps: keeps)
                try #require(result["finished"] == true, "day \(number)")
                let counts = try await world.counts()
                // A whole day at its end: what is partitioned goes when its whole day is over.
                try #require(
                    counts == [
                        "ticks": min(number, 21), "attempts": min(number, 11),
                        "events": min(number, 15), "deliveries": min(number, 15),
                        "inbox": min(number, 8), "dedup": min(number, 7),
                        "parked": min(number, 9),
                    ], "day \(number)")
                for (table, kept) in [("backhaul.ticks", 20), ("webhook_attempts", 10)] {
                    let days = try await world.partitions(table)
                    // What is kept, today, a week ahead, and the default; the migration's own days
                    // lie beyond all of these.
                    try #require(days <= kept + 1 + 8 + 1 + 9, "day \(number), \(table)")
                }
                let name = "webhook_attempts"
                try #require(result["days"]?[name]?["unplaced"] == 0, "day \(number)")
            }
            #expect(world.log.notableMessages == [])
        }
    }

    @Test("what is not decided, or not told of, stays however old it is")
    func undecided() async throws {
        try await RetentionWorld.with { (world) async throws in
            try await world.addEndpoint()
            let old = world.now.addingTimeInterval(-400 * Self.day)
            for number in 1...3 { try await world.live(through: old, number: number) }
            _ = try await world.pool.query("update events set fanned_out_at = null where id = 1")
            _ = try await world.pool.query(
                """
                update webhook_deliveries set state = 'pending', delivered_at = null,
                    next_at = now() where id = 2
                """)
            let result = try await world.run()
            #expect(result["deleted"]?["events"] == 1)
            let left = try await world.pool.query(
                """
                select e.id, d.id as delivery from events e
                left join webhook_deliveries d on d.event_id = e.id order by e.id
                """)
            #expect(try left.map { row -> Int64 in try row["id"] } == [1, 2])
            #expect(try left.map { row -> Int64? in try row["delivery"] } == [1, 2])
        }
    }

    @Test("much is deleted in batches, within the budget; the next run goes on")
    func batches() async throws {
        try await RetentionWorld.with { (world) async throws in
            try await world.addEndpoint()
            let old = world.now.addingTimeInterval(-100 * Self.day)
            let count = 2 * ApplyRetention.batch + 500
            try await Self.fill(world, count, at: old)
            let short = try await world.run(budget: .nanoseconds(1))
            #expect(short["finished"] == false)
            #expect(short["deleted"]?["deliveries"] == .number(JSONNumber(ApplyRetention.batch)))
            #expect(short["deleted"]?["events"] == 0)
            let rest = try await world.run()
            #expect(rest["finished"] == true)
            #expect(
                rest["deleted"]?["deliveries"]
                    == .number(JSONNumber(count - ApplyRetention.batch)))
            #expect(rest["deleted"]?["events"] == .number(JSONNumber(count)))
            #expect(rest["deleted"]?["inbox"] == .number(JSONNumber(count)))
            let counts = try await world.counts()
            #expect(counts["events"] == 0)
            #expect(counts["inbox"] == 0)
        }
    }

    private static func fill(_ world: RetentionWorld, _ count: Int, at date: Date) async throws {
        _ = try await world.pool.batch([
            """
            insert into events
                (id, type, payload, occurred_at, recorded_at, dedup_key, fanned_out_at)
            select n, 'a.b', '', \(date), \(date), 'k' || n, \(date)
            from generate_series(1, \(count)) n
            """,
            """
            insert into webhook_deliveries (event_id, endpoint_id, state, delivered_at)
            select n, 1, 'delivered', \(date) from generate_series(1, \(count)) n
            """,
            """
            insert into backhaul.inbox (source, message_id, received_at, job, job_id)
            select 's', n, \(date), 'j', 'i' from generate_series(1, \(count)) n
            """,
        ])
    }

    @Test("a worker whose clock runs years ahead deletes nothing that is young")
    func clockAhead() async throws {
        try await RetentionWorld.with { (world) async throws in
            try await world.addEndpoint()
            try await world.live(through: world.now, number: 1)
            let before = try await world.counts()
            _ = try await world.run(at: world.now.addingTimeInterval(3650 * Self.day))
            #expect(try await world.counts() == before)
        }
    }

    @Test("rows of days that nobody expects are warned of")
    func warning() async throws {
        try await RetentionWorld.with { (world) async throws in
            try await world.addEndpoint()
            let far = world.now.addingTimeInterval(400 * Self.day)
            try await world.live(through: far, number: 1)
            let result = try await world.run()
            #expect(result["days"]?["ticks"]?["unplaced"] == 1)
            let lines = world.log.lines.filter { $0.level == .warning }
            #expect(
                lines.map(\.message)
                    == Array(repeating: "history has rows outside its days", count: 2))
            #expect(
                lines.compactMap { $0.metadata["table.name"] }.sorted()
                    == ["ticks", "webhook_attempts"])
        }
    }

    @Test("changes to the schedule go after 400 days, and effects after their time")
    func others() async throws {
        try await RetentionWorld.with { (world) async throws in
            _ = try await world.pool.batch([
                """
                insert into backhaul.schedule_changes (at, who, what, entry)
                select now() - make_interval(days => n * 100), 'w', 'add', 'e'
                from generate_series(1, 6) n
                """,
                """
                insert into job_effects (job_id, fence, shown_at)
                select 'job-' || n, 1, now() - make_interval(days => n * 10)
                from generate_series(1, 3) n
                """,
            ])
            let result = try await world.run()
            #expect(result["deleted"]?["schedule_changes"] == 2)
            #expect(result["deleted"]?["effects"] == 2)
        }
    }

    @Test("a table in use does not keep the rest from being done")
    func postponed() async throws {
        try await RetentionWorld.with { (world) async throws in
            try await world.addEndpoint()
            let old = world.now.addingTimeInterval(-100 * Self.day)
            try await world.live(through: old, number: 1)
            _ = try await world.pool.query(
                """
                select backhaul.make_partitions(
                    'webhook_attempts', (\(old)::timestamptz at time zone 'UTC')::date, 1)
                """)
            try await world.pool.transaction { transaction in
                _ = try await transaction.query(
                    """
                    insert into webhook_attempts (delivery_id, attempt, at, status, elapsed_ms)
                    values (1, 2, now(), 200, 1)
                    """)
                let result = try await world.run()
                #expect(result["days"]?["webhook_attempts"]?["postponed"] == true)
                #expect(result["days"]?["ticks"]?["postponed"] == false)
                #expect(result["finished"] == true)
                #expect(try await world.counts()["inbox"] == 0)
            }
            #expect(
                world.log.notableMessages
                    == ["a table of history was in use; its days are made and dropped next time"])
            let result = try await world.run()
            #expect(result["days"]?["webhook_attempts"]?["dropped"] == 1)
        }
    }
}
