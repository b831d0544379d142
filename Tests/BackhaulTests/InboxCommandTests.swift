import ArgumentParser
import Foundation
import Postgres
import Store
import TestSupport
import Testing

@testable import Backhaul

@Suite("What `backhaul inbox` prints")
struct InboxCommandTests {
    /// Two messages of a fixed time, the older with two conflicts.
    private func records(_ pool: PostgresPool) async throws -> [InboxRecord] {
        for id in ["evt_1", "evt\n_2"] {
            for payload in id == "evt_1" ? ["a"] : ["a", "b", "b"] {
                _ = try await pool.query(
                    """
                    select from backhaul.receive(
                        'stripe', \(id), 'payments.x', payload => \(Array(payload.utf8)))
                    """)
            }
        }
        _ = try await pool.query(
            """
            update backhaul.inbox set job_id = 'job-1', received_at = '2027-01-15 08:00Z',
                conflict_at = case when conflicts > 0 then timestamptz '2027-01-16 08:00Z' end
            """)
        return try await InboxRecords(pool: pool).list(InboxFilter(), limit: 10)
    }

    @Test("the list has a line for each message, and says where more is")
    func list() async throws {
        try await MigratedDatabase.with { (pool) async throws in
            let records = try await records(pool)
            #expect(
                InboxListing(records, limit: 2).text == """
                    RECEIVED              SOURCE  MESSAGE  JOB         JOB ID  CONFLICTS
                    2027-01-15T08:00:00Z  stripe  evt _2   payments.x  job-1   2
                    2027-01-15T08:00:00Z  stripe  evt_1    payments.x  job-1   -
                    about a conflict: backhaul inbox show SOURCE MESSAGE
                    """)
            #expect(InboxListing(records, limit: 1).text.contains("more; raise --limit"))
            #expect(InboxListing([], limit: 2).text == "no messages")
            #expect(!InboxSummary(records[1]).text.contains("sender"))
            let text = InboxSummary(records[0]).text
            // As sha256sum prints them.
            let digests = ["ca978112ca1bbdca", "3e23e8160039594a"]
            #expect(text.contains("payload        sha256 \(digests[0])"))
            #expect(text.contains("last conflict  2027-01-16T08:00:00Z, sha256 \(digests[1])"))
            #expect(text.hasSuffix("ask the sender"))
        }
    }

    @Test("the commands look at the database; what is not there is said, with advice")
    func commands() async throws {
        try await PostgresServer.shared.withDatabase { url in
            let list = try InboxList.parse(["--database", url, "--conflicts", "-o", "json"])
            let empty = await #expect(throws: CommandFailure.self) { try await list.run() }
            #expect(empty?.advice == "run `backhaul migrate up`")
            let pool = PostgresServer.pool(url)
            _ = try await Migrator(pool: pool).up()
            _ = try await pool.query("select from backhaul.receive('stripe', 'evt_1', 'job')")
            await pool.shutdown()
            try await list.run()
            try await InboxList.parse(["--database", url, "--since", "2h"]).run()
            try await InboxShow.parse(["--database", url, "stripe", "evt_1"]).run()
            let show = try InboxShow.parse(["--database", url, "stripe", "evt_2"])
            let missing = await #expect(throws: CommandFailure.self) { try await show.run() }
            #expect(missing?.message.contains("no message evt_2 of stripe") == true)
        }
    }

    @Test(
        "flags that cannot be meant are refused", arguments: [["--limit", "0"], ["--since", "x"]])
    func flags(arguments: [String]) {
        #expect(throws: (any Error).self) { try InboxList.parse(arguments) }
    }
}
