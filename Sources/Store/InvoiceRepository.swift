package import Foundation
package import Postgres

/// A bill; money is in the currency's smallest unit.
package struct Invoice: Sendable, Equatable {
    package enum Status: String, Sendable {
        case open
        case paid
        case uncollectible
        case void
    }

    package let id: Int64
    package let customerID: Int64
    package let amountMinor: Int64
    /// ISO 4217.
    package let currency: String
    package let status: Status
    /// The gateway's name for the customer's card on file.
    package let paymentMethod: String?
}

/// The invoices table.
package struct InvoiceRepository: Sendable {
    package init() {}

    /// The invoice of that id, locked until the transaction ends.
    ///
    /// Whoever changes an attempt or an invoice takes this lock first, so there is one order of
    /// locks and no deadlock.
    package func lock(_ id: Int64, in transaction: PostgresTransaction) async throws -> Invoice? {
        try await transaction.query(
            """
            select i.*, c.payment_method from invoices i
            join customers c on c.id = i.customer_id where i.id = \(id) for update of i
            """
        ).first.map(Self.invoice)
    }

    /// Marks a locked invoice as paid; one that was voided meanwhile stays void.
    package func markPaid(
        _ id: Int64, at now: Date, in transaction: PostgresTransaction
    ) async throws {
        _ = try await transaction.query(
            """
            update invoices set status = 'paid', paid_at = \(now)
            where id = \(id) and status in ('open', 'uncollectible')
            """)
    }

    private static func invoice(_ row: PostgresRow) throws -> Invoice {
        Invoice(
            id: try row["id"], customerID: try row["customer_id"],
            amountMinor: try row["amount_minor"], currency: try row["currency"],
            // The table's check constraint allows nothing else.
            status: Invoice.Status(rawValue: try row["status"]) ?? .void,
            paymentMethod: try row["payment_method"])
    }
}
