import Foundation
import JobModel
package import Postgres
import Store

/// What the database says about an invoice and its attempts, one transaction per question.
///
/// Every transaction locks the invoice first. None is open while the gateway is being called.
package struct PaymentBook: Sendable {
    /// How long a key protects: the gateway keeps keys for 24 hours at least, less a margin for
    /// clocks and queues.
    static let keyLife: TimeInterval = 23 * 3600

    /// How long a call may be made again.
    ///
    /// Shorter than the key's life, so that no call is under way when an attempt is given up.
    static let resendLife: TimeInterval = 22 * 3600

    /// What to do next about an invoice.
    enum Step: Sendable {
        /// Make the call of this attempt; it is committed that the call may have been made.
        case send(PaymentAttempt)
        /// Ask the gateway what became of this attempt.
        case ask(PaymentAttempt)
        /// Nothing is left to do; the event, where there is one, may still have to be fanned out.
        case finished(ChargeResult, event: Int64?)
    }

    private let pool: PostgresPool
    private let invoices = InvoiceRepository()
    private let attempts: PaymentAttemptRepository
    private let ledger: LedgerRepository
    private let publisher: EventPublisher

    package init(pool: PostgresPool, publisher: EventPublisher) {
        self.pool = pool
        self.publisher = publisher
        attempts = PaymentAttemptRepository(pool: pool)
        ledger = LedgerRepository(pool: pool)
    }

    /// Decides the next step, and commits it before the caller takes it.
    func nextStep(invoice id: Int64, job: JobID, at now: Date) async throws -> Step {
        try await pool.transaction { transaction in
            guard let invoice = try await invoices.lock(id, in: transaction) else {
                throw PermanentFailure("there is no invoice \(id)")
            }
            let current = try await attempts.current(ofInvoice: id, in: transaction)
            if let current, current.state == .succeeded || current.state.isLive {
                return try await step(for: current, of: invoice, at: now, in: transaction)
            }
            guard invoice.status == .open else {
                return .finished(
                    ChargeResult(invoiceID: id, status: invoice.status.rawValue), event: nil)
            }
            if let current, current.state == .declined, current.jobID == job.text {
                return .finished(ChargeResult(declined: current), event: nil)
            }
            guard invoice.amountMinor > 0 else {
                try await invoices.markPaid(id, at: now, in: transaction)
                return .finished(ChargeResult(invoiceID: id, status: "paid"), event: nil)
            }
            guard let method = invoice.paymentMethod else {
                throw PermanentFailure("the customer of invoice \(id) has no payment method")
            }
            return .send(
                try await attempts.open(
                    number: (current?.number ?? 0) + 1, of: invoice, with: method,
                    byJob: job.text, at: now, in: transaction))
        }
    }

    /// The step for an attempt that succeeded or may still do so.
    private func step(
        for attempt: PaymentAttempt, of invoice: Invoice, at now: Date,
        in transaction: PostgresTransaction
    ) async throws -> Step {
        switch attempt.state {
        case .succeeded:
            let event = try await recordReceipt(of: attempt, invoice, at: now, in: transaction)
            return .finished(ChargeResult(paid: attempt), event: event)
        case .sent where invoice.status == .open && Self.mayResend(attempt, at: now):
            let resent = try await attempts.noteResend(attempt.id, in: transaction)
            return .send(resent ?? attempt)
        default:
            return .ask(attempt)
        }
    }

    /// Counts one more send of an attempt the gateway knows nothing of; `nil` when the call must
    /// not be made again.
    func resend(_ attempt: PaymentAttempt, at now: Date) async throws -> PaymentAttempt? {
        guard Self.mayResend(attempt, at: now) else { return nil }
        return try await pool.transaction { transaction in
            let invoice = try await invoices.lock(attempt.invoiceID, in: transaction)
            guard invoice?.status == .open else { return nil }
            return try await attempts.noteResend(attempt.id, in: transaction)
        }
    }

    /// Records that the money was taken, and returns the event.
    ///
    /// Attempt, invoice, ledger and event are one transaction; a repeat changes nothing.
    func settle(_ attempt: PaymentAttempt, gatewayID: String, at now: Date) async throws -> Int64 {
        do {
            return try await pool.transaction { transaction in
                guard
                    let invoice = try await invoices.lock(attempt.invoiceID, in: transaction),
                    let current = try await attempts.find(attempt.id, in: transaction)
                else { throw PermanentFailure("there is no attempt \(attempt.id)") }
                let isNews = try await attempts.succeed(
                    attempt.id, gatewayID: gatewayID, in: transaction)
                if isNews {
                    try await invoices.markPaid(invoice.id, at: now, in: transaction)
                    try await ledger.record(
                        LedgerTransfer(
                            source: "charge:" + gatewayID, debit: "gateway_clearing",
                            credit: "accounts_receivable", amountMinor: current.amountMinor,
                            currency: current.currency),
                        at: now, in: transaction)
                }
                guard let settled = try await attempts.find(attempt.id, in: transaction) else {
                    throw PermanentFailure("attempt \(attempt.id) vanished")
                }
                return try await recordReceipt(of: settled, invoice, at: now, in: transaction)
            }
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            throw PermanentFailure(
                "invoice \(attempt.invoiceID) has another successful payment: refund \(gatewayID)")
        }
    }

    /// Moves a live attempt to a state without money; `false` when it is no longer live.
    func move(
        _ attempt: PaymentAttempt, to state: PaymentAttempt.State, code: String? = nil,
        declineCode: String? = nil, isAnswerStored: Bool = false
    ) async throws -> Bool {
        try await pool.transaction { transaction in
            _ = try await invoices.lock(attempt.invoiceID, in: transaction)
            return try await attempts.move(
                attempt.id, to: state, errorCode: code, declineCode: declineCode,
                isAnswerStored: isAnswerStored, in: transaction)
        }
    }

    /// The attempt of that id.
    func attempt(_ id: Int64) async throws -> PaymentAttempt? { try await attempts.find(id) }

    /// The attempt with that key.
    func attempt(key: String) async throws -> PaymentAttempt? { try await attempts.find(key: key) }

    /// Whether the same call may be made again, as far as time and stored answers go.
    static func mayResend(_ attempt: PaymentAttempt, at now: Date) -> Bool {
        !attempt.isAnswerStored && now < attempt.firstSentAt.addingTimeInterval(resendLife)
    }

    /// Whether the gateway may have forgotten the attempt's key.
    static func isKeySpent(_ attempt: PaymentAttempt, at now: Date) -> Bool {
        now >= keyEnd(of: attempt)
    }

    /// The moment from which the gateway may have forgotten the attempt's key.
    static func keyEnd(of attempt: PaymentAttempt) -> Date {
        attempt.firstSentAt.addingTimeInterval(keyLife)
    }

    private func recordReceipt(
        of attempt: PaymentAttempt, _ invoice: Invoice, at now: Date,
        in transaction: PostgresTransaction
    ) async throws -> Int64 {
        let gatewayID = attempt.gatewayID ?? ""
        return try await publisher.record(
            DomainEvent(
                type: "payment.received", key: "payment.received:" + gatewayID,
                data: PaymentReceived(
                    invoiceID: invoice.id, customerID: invoice.customerID,
                    amountMinor: attempt.amountMinor, currency: attempt.currency,
                    gatewayID: gatewayID, attempt: attempt.number)),
            at: now, in: transaction)
    }
}

/// The data of `payment.received`.
private struct PaymentReceived: Encodable {
    let invoiceID: Int64
    let customerID: Int64
    let amountMinor: Int64
    let currency: String
    let gatewayID: String
    let attempt: Int32

    private enum CodingKeys: String, CodingKey {
        case invoiceID = "invoice_id"
        case customerID = "customer_id"
        case amountMinor = "amount_minor"
        case currency
        case gatewayID = "gateway_id"
        case attempt
    }
}
