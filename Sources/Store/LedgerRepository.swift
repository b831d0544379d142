package import Foundation
package import Postgres

/// A transfer between two accounts: the second receives what the first gives.
package struct LedgerTransfer: Sendable, Equatable {
    /// What it comes from, such as `charge:pi_…`; one source is entered once.
    package let source: String
    package let debit: String
    package let credit: String
    /// In the currency's smallest unit, above zero.
    package let amountMinor: Int64
    package let currency: String

    package init(
        source: String, debit: String, credit: String, amountMinor: Int64, currency: String
    ) {
        self.source = source
        self.debit = debit
        self.credit = credit
        self.amountMinor = amountMinor
        self.currency = currency
    }
}

/// The append-only ledger; the database refuses changes, and sources that do not sum to zero.
package struct LedgerRepository: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Writes both rows of a transfer.
    ///
    /// - Throws: `PostgresError` with state `uniqueViolation` when its source was entered before.
    package func record(
        _ transfer: LedgerTransfer, at now: Date, in transaction: PostgresTransaction
    ) async throws {
        _ = try await transaction.query(
            """
            insert into ledger (source, account, amount_minor, currency, recorded_at)
            values (\(transfer.source), \(transfer.debit), \(transfer.amountMinor),
                    \(transfer.currency), \(now)),
                   (\(transfer.source), \(transfer.credit), \(-transfer.amountMinor),
                    \(transfer.currency), \(now))
            """)
    }

    /// What an account holds in one currency.
    package func balance(of account: String, currency: String) async throws -> Int64 {
        let rows = try await pool.query(
            """
            select coalesce(sum(amount_minor), 0)::bigint as balance from ledger
            where account = \(account) and currency = \(currency)
            """)
        return try rows[0]["balance"]
    }
}
