import Foundation
import JobModel
import Postgres
import Store
import TestSupport
import Testing

@Suite("What comes in from outside")
struct InboxTests {
    struct RolledBack: Error {}

    static func message(
        _ id: String = "evt_1", source: String = "stripe", payload: String? = "{}"
    ) -> InboxMessage {
        var message = InboxMessage(source: source, id: id, job: "payments.gateway_event")
        message.kwargs = ["event_id": .string(id)]
        message.payload = payload.map { Array($0.utf8) }
        return message
    }

    /// Receives a message in a transaction of its own.
    static func receive(
        _ message: InboxMessage, _ pool: PostgresPool
    ) async throws -> InboxReceipt {
        try await pool.transaction { try await Inbox().receive(message, in: $0) }
    }

    /// The ids of the jobs that were enqueued, oldest first.
    static func enqueued(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query("select job_id from backhaul.outbox order by id").map {
            try $0["job_id"]
        }
    }

    @Test("a message causes one job, however often it comes")
    func once() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let first = try await Self.receive(Self.message(), pool)
            #expect(first == .new(first.jobID))
            for _ in 0..<3 {
                #expect(try await Self.receive(Self.message(), pool) == .repeated(first.jobID))
            }
            // Without a payload it cannot be told from the same.
            #expect(
                try await Self.receive(Self.message(payload: nil), pool)
                    == .repeated(first.jobID))
            #expect(try await Self.enqueued(pool) == [first.jobID.text])
            let other = try await Self.receive(Self.message(source: "adyen"), pool)
            #expect(other == .new(other.jobID))
            #expect(other.jobID != first.jobID)
        }
    }

    @Test("the job is enqueued as the message says")
    func job() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let due = Date(timeIntervalSince1970: 1_900_000_000)
            var message = Self.message()
            message.args = [1, "two"]
            message.queue = "payments"
            message.at = due
            _ = try await Self.receive(message, pool)
            let row = try await pool.query(
                "select name, args::text, kwargs::text, queue, run_at from backhaul.outbox")[0]
            let args: String = try row["args"]
            let kwargs: String = try row["kwargs"]
            #expect(try row["name"] == "payments.gateway_event")
            #expect(try JSONValue(parsing: Array(args.utf8)) == .array([1, "two"]))
            #expect(try JSONValue(parsing: Array(kwargs.utf8)) == ["event_id": "evt_1"])
            #expect(try row["queue"] == "payments")
            #expect(try row["run_at"] == due)
        }
    }

    @Test("the same id with another payload is counted and causes nothing")
    func conflict() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let first = try await Self.receive(Self.message(payload: "paid"), pool)
            for _ in 0..<2 {
                #expect(
                    try await Self.receive(Self.message(payload: "forged"), pool)
                        == .conflict(first.jobID))
            }
            #expect(
                try await Self.receive(Self.message(payload: "paid"), pool)
                    == .repeated(first.jobID))
            #expect(try await Self.enqueued(pool) == [first.jobID.text])
            let records = InboxRecords(pool: pool)
            let record = try #require(await records.find("evt_1", from: "stripe"))
            #expect(record.conflicts == 2)
            #expect(record.jobID == first.jobID.text)
            // As sha256sum prints them.
            #expect(
                record.digest
                    == "268ad70eb5bc4737a2ae28162cbca30118cc94520e49ef1ac5f72c85d3f2caa9")
            #expect(
                record.conflictDigest
                    == "ccdd35168ab474fa5764a526cfb83621351e23682c5075b2e18d56bddf96aa30")
            #expect(record.conflictAt != nil)
            #expect(try await records.find("evt_1", from: "adyen") == nil)
        }
    }

    @Test("what is rolled back was never received: the next one is new")
    func rollback() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            await #expect(throws: RolledBack.self) {
                try await pool.transaction { transaction in
                    _ = try await Inbox().receive(Self.message(), in: transaction)
                    throw RolledBack()
                }
            }
            #expect(try await Self.enqueued(pool) == [])
            let receipt = try await Self.receive(Self.message(), pool)
            #expect(receipt == .new(receipt.jobID))
            #expect(try await Self.enqueued(pool) == [receipt.jobID.text])
        }
    }

    @Test(
        "of two at once the second waits: it gets the first one's job, or is new after its rollback",
        arguments: [true, false])
    func twoAtOnce(commits: Bool) async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let (first, second) = try await withThrowingTaskGroup(of: InboxReceipt.self) { group in
                var first: InboxReceipt?
                do {
                    first = try await pool.transaction { transaction in
                        let receipt = try await Inbox().receive(Self.message(), in: transaction)
                        group.addTask { try await Self.receive(Self.message(), pool) }
                        try await eventually("the second receiver waits") {
                            try await Self.waiting(pool) == 1
                        }
                        guard commits else { throw RolledBack() }
                        return receipt
                    }
                } catch is RolledBack {}
                return (first, try await group.next())
            }
            let receipt = try #require(second)
            #expect(receipt == (first.map { .repeated($0.jobID) } ?? .new(receipt.jobID)))
            #expect(try await Self.enqueued(pool) == [receipt.jobID.text])
        }
    }

    private static func waiting(_ pool: PostgresPool) async throws -> Int {
        try await pool.query(
            """
            select count(*) as n from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'
            """)[0]["n"]
    }

    @Test(
        "a message without a source, an id or a job is refused, and nothing is kept",
        arguments: [
            InboxMessage(source: "", id: "1", job: "a"),
            InboxMessage(source: "s", id: "", job: "a"),
            InboxMessage(source: "s", id: "1", job: ""),
            InboxMessage(source: String(repeating: "s", count: 101), id: "1", job: "a"),
            InboxMessage(source: "s", id: String(repeating: "é", count: 128), job: "a"),
        ])
    func refused(message: InboxMessage) async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let failure = await #expect(throws: PostgresError.self) {
                try await Self.receive(message, pool)
            }
            #expect(failure?.sqlState?.rawValue == "22023")
            #expect(try await Self.enqueued(pool) == [])
            #expect(try await InboxRecords(pool: pool).list(InboxFilter(), limit: 10) == [])
        }
    }

    @Test("a receiver needs no right but to call the function")
    func rights() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            do {
                // Roles are the server's: this one goes with the transaction.
                try await pool.transaction { (transaction) async throws -> Void in
                    try await transaction.script(
                        """
                        create role receiver;
                        grant usage on schema backhaul to receiver;
                        grant execute on function backhaul.receive to receiver;
                        set local role receiver;
                        """)
                    let receipt = try await Inbox().receive(Self.message(), in: transaction)
                    #expect(receipt == .new(receipt.jobID))
                    _ = try await transaction.query("select from backhaul.inbox")
                }
                Issue.record("the table should be out of reach")
            } catch let error as PostgresError {
                #expect(error.sqlState == .insufficientPrivilege)
            }
        }
    }

    @Test("the list is the newest first, by source, job, time and conflicts")
    func list() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            for id in ["a", "b", "c"] { _ = try await Self.receive(Self.message(id), pool) }
            _ = try await Self.receive(Self.message("b", payload: "other"), pool)
            _ = try await Self.receive(Self.message("d", source: "crm"), pool)
            _ = try await pool.query(
                "update backhaul.inbox set received_at = now() - interval '2 days' where message_id = 'a'"
            )
            let records = InboxRecords(pool: pool)
            func ids(_ limit: Int = 10, _ change: (inout InboxFilter) -> Void) async throws
                -> [String]
            {
                var filter = InboxFilter()
                change(&filter)
                return try await records.list(filter, limit: limit).map(\.id)
            }
            #expect(try await ids { _ in } == ["d", "c", "b", "a"])
            #expect(try await ids(2) { _ in } == ["d", "c"])
            #expect(try await ids { $0.source = "stripe" } == ["c", "b", "a"])
            #expect(try await ids { $0.job = "other" } == [])
            #expect(
                try await ids {
                    $0.source = "stripe"
                    $0.since = Date().addingTimeInterval(-86_400)
                } == ["c", "b"])
            #expect(try await ids { $0.onlyConflicts = true } == ["b"])
        }
    }
}
