import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("The ledger")
struct LedgerRepositoryTests {
    private static let transfer = LedgerTransfer(
        source: "charge:1", debit: "clearing", credit: "receivable", amountMinor: 1999,
        currency: "JPY")

    @Test("a transfer moves the same amount out of one account and into another")
    func transfer() async throws {
        try await MigratedDatabase.with { pool in
            let ledger = LedgerRepository(pool: pool)
            try await pool.transaction { transaction in
                try await ledger.record(Self.transfer, at: Date(), in: transaction)
            }
            #expect(try await ledger.balance(of: "clearing", currency: "JPY") == 1999)
            #expect(try await ledger.balance(of: "receivable", currency: "JPY") == -1999)
            #expect(try await ledger.balance(of: "clearing", currency: "USD") == 0)
        }
    }

    @Test("one source is entered once")
    func onceOnly() async throws {
        try await MigratedDatabase.with { pool in
            let ledger = LedgerRepository(pool: pool)
            let enter: () async throws -> Void = {
                try await pool.transaction { transaction in
                    try await ledger.record(Self.transfer, at: Date(), in: transaction)
                }
            }
            #expect(await Self.state(enter) == nil)
            #expect(await Self.state(enter) == .uniqueViolation)
            let balance = try await ledger.balance(of: "clearing", currency: "JPY")
            #expect(balance == 1999)
        }
    }

    @Test(
        "a source that does not sum to zero is refused at commit",
        arguments: [
            "('s', 'a', 5, 'USD')",
            "('s', 'a', 5, 'USD'), ('s', 'b', -4, 'USD')",
            "('s', 'a', 5, 'USD'), ('s', 'b', -5, 'EUR')",
        ])
    func unbalanced(rows: String) async throws {
        try await MigratedDatabase.with { pool in
            let state = await Self.state {
                _ = try await pool.query(
                    PostgresQuery(
                        trustedSQL: "insert into ledger (source, account, amount_minor, currency)"
                            + " values \(rows)", name: "test"))
            }
            #expect(state == .checkViolation)
        }
    }

    @Test(
        "an entry is never changed",
        arguments: ["update ledger set amount_minor = 1", "delete from ledger", "truncate ledger"])
    func appendOnly(statement: String) async throws {
        try await MigratedDatabase.with { pool in
            let ledger = LedgerRepository(pool: pool)
            try await pool.transaction { transaction in
                try await ledger.record(Self.transfer, at: Date(), in: transaction)
            }
            let state = await Self.state {
                _ = try await pool.query(PostgresQuery(trustedSQL: statement, name: "test"))
            }
            #expect(state == SQLState(rawValue: "23001"))
            #expect(try await ledger.balance(of: "clearing", currency: "JPY") == 1999)
        }
    }

    private static func state(_ body: () async throws -> Void) async -> SQLState? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? PostgresError)?.sqlState ?? SQLState(rawValue: "other")
        }
    }
}
