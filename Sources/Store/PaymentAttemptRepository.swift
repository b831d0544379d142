package import Foundation
package import Postgres

/// One try to collect an invoice: one idempotency key, one body, any number of sends.
package struct PaymentAttempt: Sendable, Equatable {
    package enum State: String, Sendable {
        /// The call may have been made; the same one may be made again.
        case sent
        /// The gateway must be asked before anything else is done.
        case unknown
        /// The customer must confirm with the bank.
        case requiresAction = "requires_action"
        case succeeded
        case declined
        /// The key's life is over and the gateway has no such payment.
        case lapsed

        /// Whether money may still move under this attempt.
        package var isLive: Bool {
            switch self {
            case .sent, .unknown, .requiresAction: true
            case .succeeded, .declined, .lapsed: false
            }
        }
    }

    package let id: Int64
    package let invoiceID: Int64
    package let number: Int32
    /// `inv-<invoice>-a<number>`: the Idempotency-Key, and `metadata[attempt_key]`.
    package let key: String
    package let amountMinor: Int64
    package let currency: String
    package let paymentMethod: String
    package let state: State
    /// The job that opened it.
    package let jobID: String
    package let gatewayID: String?
    package let errorCode: String?
    package let declineCode: String?
    /// Whether the gateway answers the key with the same failure as long as the key lives.
    package let isAnswerStored: Bool
    package let sends: Int32
    package let firstSentAt: Date
}

extension PaymentAttempt: CustomStringConvertible {
    /// Names the attempt by its key.
    package var description: String { "attempt \(key) (\(state.rawValue))" }
}

/// The payment_attempts table; whoever changes it holds the lock of the attempt's invoice.
package struct PaymentAttemptRepository: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The attempt of that id.
    package func find(_ id: Int64) async throws -> PaymentAttempt? {
        try await pool.query("select * from payment_attempts where id = \(id)")
            .first.map(Self.attempt)
    }

    /// The attempt with that key.
    package func find(key: String) async throws -> PaymentAttempt? {
        try await pool.query("select * from payment_attempts where idem_key = \(key)")
            .first.map(Self.attempt)
    }

    /// The attempt of that id as the transaction sees it.
    package func find(
        _ id: Int64, in transaction: PostgresTransaction
    ) async throws -> PaymentAttempt? {
        try await transaction.query("select * from payment_attempts where id = \(id)")
            .first.map(Self.attempt)
    }

    /// The attempt that matters now: the successful one, else the newest.
    package func current(
        ofInvoice id: Int64, in transaction: PostgresTransaction
    ) async throws -> PaymentAttempt? {
        try await transaction.query(
            """
            select * from payment_attempts where invoice_id = \(id)
            order by (state = 'succeeded') desc, attempt_no desc limit 1
            """
        ).first.map(Self.attempt)
    }

    /// Opens attempt `number` of an invoice, as about to be sent.
    package func open(
        number: Int32, of invoice: Invoice, with paymentMethod: String, byJob jobID: String,
        at now: Date, in transaction: PostgresTransaction
    ) async throws -> PaymentAttempt {
        let rows = try await transaction.query(
            """
            insert into payment_attempts
                (invoice_id, attempt_no, idem_key, amount_minor, currency, payment_method,
                 state, job_id, sends, first_sent_at)
            values (\(invoice.id), \(number), \("inv-\(invoice.id)-a\(number)"),
                    \(invoice.amountMinor), \(invoice.currency), \(paymentMethod),
                    'sent', \(jobID), 1, \(now))
            returning *
            """)
        return try Self.attempt(rows[0])
    }

    /// Notes one more send of an attempt, before it is made.
    package func noteResend(
        _ id: Int64, in transaction: PostgresTransaction
    ) async throws -> PaymentAttempt? {
        try await transaction.query(
            """
            update payment_attempts set state = 'sent', sends = sends + 1, error_code = null
            where id = \(id) and state in ('sent', 'unknown') returning *
            """
        ).first.map(Self.attempt)
    }

    /// Moves a live attempt to another state; `false` when it is no longer live.
    package func move(
        _ id: Int64, to state: PaymentAttempt.State, errorCode: String? = nil,
        declineCode: String? = nil, isAnswerStored: Bool = false,
        in transaction: PostgresTransaction
    ) async throws -> Bool {
        precondition(state != .succeeded, "success is recorded with its gateway id")
        return try await transaction.query(
            """
            update payment_attempts set state = \(state.rawValue), error_code = \(errorCode.postgresValue),
                decline_code = \(declineCode.postgresValue), answer_stored = \(isAnswerStored)
            where id = \(id) and state in ('sent', 'unknown', 'requires_action')
            """
        ).affected == 1
    }

    /// Records that the gateway took the money; `false` when that was recorded before.
    ///
    /// An attempt already given up may still turn out to have succeeded.
    ///
    /// - Throws: `PostgresError` with state `uniqueViolation` when another attempt of the same
    ///   invoice has succeeded.
    package func succeed(
        _ id: Int64, gatewayID: String, in transaction: PostgresTransaction
    ) async throws -> Bool {
        try await transaction.query(
            """
            update payment_attempts set state = 'succeeded', gateway_id = \(gatewayID),
                error_code = null, decline_code = null
            where id = \(id) and state <> 'succeeded'
            """
        ).affected == 1
    }

    private static func attempt(_ row: PostgresRow) throws -> PaymentAttempt {
        PaymentAttempt(
            id: try row["id"], invoiceID: try row["invoice_id"], number: try row["attempt_no"],
            key: try row["idem_key"], amountMinor: try row["amount_minor"],
            currency: try row["currency"], paymentMethod: try row["payment_method"],
            // The table's check constraint allows nothing else; `unknown` is the careful reading.
            state: PaymentAttempt.State(rawValue: try row["state"]) ?? .unknown,
            jobID: try row["job_id"], gatewayID: try row["gateway_id"],
            errorCode: try row["error_code"], declineCode: try row["decline_code"],
            isAnswerStored: try row["answer_stored"],
            sends: try row["sends"], firstSentAt: try row["first_sent_at"])
    }
}
