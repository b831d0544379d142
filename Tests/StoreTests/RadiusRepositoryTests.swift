import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("RADIUS rows")
struct RadiusRepositoryTests {
    private static let fiber = Plan(
        radiusGroup: "plan:fiber-100", downBitsPerSecond: 100_000_000,
        upBitsPerSecond: 20_000_000)

    private static func account(
        _ plan: Plan = fiber, password: String = "pw", ip: String? = "100.64.0.10"
    ) -> RadiusAccount {
        RadiusAccount(username: "c1", password: password, plan: plan, framedIP: ip)
    }

    /// All rows that FreeRADIUS would read for the account and its plan.
    private static func rows(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            """
            select 'check ' || attribute || op || value as row from radius.radcheck
            union all select 'reply ' || attribute || op || value from radius.radreply
            union all select 'group ' || groupname || ' ' || priority from radius.radusergroup
            union all select groupname || ' ' || attribute || op || value
                from radius.radgroupreply where groupname like 'plan:%'
            order by 1
            """
        ).map { try $0["row"] }
    }

    private static func apply(_ account: RadiusAccount, _ pool: PostgresPool) async throws {
        try await pool.transaction { transaction in
            try await RadiusRepository().apply(account, in: transaction)
        }
    }

    @Test("applying an account three times leaves the rows of one")
    func repeatable() async throws {
        try await MigratedDatabase.with { pool in
            for _ in 0..<3 { try await Self.apply(Self.account(), pool) }
            #expect(
                try await Self.rows(pool) == [
                    "check Cleartext-Password:=pw",
                    "group plan:fiber-100 10",
                    "plan:fiber-100 Mikrotik-Rate-Limit:=20M/100M",
                    "plan:fiber-100 WISPr-Bandwidth-Max-Down:=100000000",
                    "plan:fiber-100 WISPr-Bandwidth-Max-Up:=20000000",
                    "reply Framed-IP-Address:=100.64.0.10",
                ])
        }
    }

    @Test("a changed account replaces what was there, suspension included")
    func change() async throws {
        try await MigratedDatabase.with { pool in
            try await Self.apply(Self.account(), pool)
            _ = try await pool.query(
                """
                insert into radius.radusergroup (username, groupname, priority)
                values ('c1', 'state:blocked', 0), ('c2', 'state:blocked', 0), ('c1', 'vip', 5)
                """)
            let slow = Plan(
                radiusGroup: "plan:slow", downBitsPerSecond: 256_000, upBitsPerSecond: 64_001)
            try await Self.apply(Self.account(slow, password: "new", ip: nil), pool)
            let rows = try await Self.rows(pool).filter { !$0.hasPrefix("plan:fiber") }
            #expect(
                rows == [
                    "check Cleartext-Password:=new",
                    "group plan:slow 10",
                    "group state:blocked 0",
                    "group vip 5",
                    "plan:slow Mikrotik-Rate-Limit:=64001/256k",
                    "plan:slow WISPr-Bandwidth-Max-Down:=256000",
                    "plan:slow WISPr-Bandwidth-Max-Up:=64001",
                ])
        }
    }

    @Test("a new speed of a plan replaces the old one")
    func newSpeed() async throws {
        try await MigratedDatabase.with { pool in
            try await Self.apply(Self.account(), pool)
            let faster = Plan(
                radiusGroup: "plan:fiber-100", downBitsPerSecond: 200_000_000,
                upBitsPerSecond: 20_000_000)
            try await Self.apply(Self.account(faster), pool)
            #expect(
                try await Self.rows(pool).filter { $0.hasPrefix("plan:") } == [
                    "plan:fiber-100 Mikrotik-Rate-Limit:=20M/200M",
                    "plan:fiber-100 WISPr-Bandwidth-Max-Down:=200000000",
                    "plan:fiber-100 WISPr-Bandwidth-Max-Up:=20000000",
                ])
        }
    }

    @Test("fifty accounts of one plan applied at once do not block each other")
    func concurrent() async throws {
        try await MigratedDatabase.with { pool in
            try await withThrowingTaskGroup { group in
                for number in 0..<50 {
                    group.addTask {
                        try await Self.apply(
                            RadiusAccount(
                                username: "u\(number)", password: "pw", plan: Self.fiber,
                                framedIP: nil), pool)
                    }
                }
                try await group.waitForAll()
            }
            let counted = try await pool.query(
                "select count(*) as n from radius.radgroupreply where groupname like 'plan:%'")
            #expect(try counted[0].decode("n", as: Int.self) == 3)
            let users = try await pool.query("select count(*) as n from radius.radusergroup")
            #expect(try users[0].decode("n", as: Int.self) == 50)
        }
    }
}
