import Foundation
import HTTP
import JobModel
import Jobs
import Postgres
import Store
import TestSupport
import Testing

/// A database, a gateway and a clock, and a worker's patience with the jobs that use them.
struct PaymentFixture: Sendable {
    /// More runs than any job may need here.
    private static let maximumRuns = 200

    let pool: PostgresPool
    let stub: GatewayStub
    let clock: HandClock
    let fanOut = FanOutLog()

    init(_ pool: PostgresPool, _ stub: GatewayStub) {
        self.pool = pool
        self.stub = stub
        clock = HandClock(Date())
    }

    /// Runs `body` with one open invoice of 49.99, whose customer pays with `paymentMethod`.
    static func with(
        paymentMethod: String? = "pm_card", invoices: Int = 1, amount: Int64 = 4999,
        currency: String = "USD", _ body: (PaymentFixture) async throws -> Void
    ) async throws {
        try await MigratedDatabase.with { pool in
            try await GatewayStub.serving { stub in
                try await SeedRows.customer(pool, paymentMethod: paymentMethod)
                try await SeedRows.invoices(
                    pool, invoices, amount: amount, currency: currency)
                try await body(PaymentFixture(pool, stub))
            }
        }
    }

    /// The job under test.
    func charge(
        through gateway: PaymentGateway? = nil, _ checkpoints: Checkpoints = .none
    ) -> ChargeInvoice {
        ChargeInvoice(
            gateway: gateway ?? stub.gateway(),
            book: PaymentBook(pool: pool, publisher: fanOut.publisher),
            publisher: fanOut.publisher, checkpoints: checkpoints)
    }

    /// One run of the job, as a worker makes it.
    func run(
        _ job: ChargeInvoice? = nil, invoice: Int64 = 1, id: String = "job-1"
    ) async throws -> Verdict {
        try await (job ?? charge()).run(
            ChargeInvoice.Payload(invoiceID: invoice), in: jobContext(id, time: clock))
    }

    /// One run of the job that asks.
    func reconcile(attempt: Int64 = 1) async throws -> Verdict {
        let book = PaymentBook(pool: pool, publisher: fanOut.publisher)
        let job = ReconcilePayment(
            resolver: AttemptResolver(gateway: stub.gateway(), book: book),
            publisher: fanOut.publisher)
        return try await job.run(
            ReconcilePayment.Payload(attemptID: attempt), in: jobContext("r", time: clock))
    }

    /// Runs the job again and again, as a worker would, until it is finished.
    ///
    /// A kill is followed by the redelivery; a wait moves the clock.
    func finish(
        _ job: ChargeInvoice? = nil, invoice: Int64 = 1, id: String = "job-1"
    ) async throws -> JSONValue {
        for _ in 0..<Self.maximumRuns {
            do {
                switch try await run(job, invoice: invoice, id: id) {
                case .finished(let result): return result
                case .snooze(let until): clock.set(max(until, clock.now))
                case .replaced, .ignored, .requeued: throw Unfinished()
                }
            } catch let error as RetryLater {
                clock.advance(by: error.delay.inSeconds)
            } catch is HTTPError {
                clock.advance(by: 1)
            } catch is GatewayTrouble {
                clock.advance(by: 1)
            } catch is Kill {}
        }
        throw Unfinished()
    }

    /// The states of all attempts, by key.
    func attempts() async throws -> [String] {
        try await pool.query(
            "select idem_key || ' ' || state as attempt from payment_attempts order by id"
        ).map { try $0["attempt"] }
    }

    /// Expects that invoice 1 was paid once, everywhere.
    func expectPaidOnce(
        amount: Int64 = 4999, currency: String = "USD",
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let charges = try await stub.charges()
        try #require(charges.map(\.amount) == [amount], sourceLocation: location)
        let status: String = try await pool.query("select status from invoices where id = 1")[0][
            "status"]
        #expect(status == "paid", sourceLocation: location)
        let entries = try await ledger()
        #expect(
            entries == [
                "charge:\(charges[0].id) accounts_receivable -\(amount) \(currency)",
                "charge:\(charges[0].id) gateway_clearing \(amount) \(currency)",
            ], sourceLocation: location)
        let recorded = try await events(pool)
        #expect(
            recorded.map(\.key) == ["payment.received:\(charges[0].id)"],
            sourceLocation: location)
        #expect(fanOut.all.contains(recorded[0].id), sourceLocation: location)
    }

    /// All rows of the ledger, as text.
    func ledger() async throws -> [String] {
        try await pool.query(
            """
            select source || ' ' || account || ' ' || amount_minor || ' ' || currency as entry
            from ledger order by source, account
            """
        ).map { try $0["entry"] }
    }

    /// A job that never came to an end.
    struct Unfinished: Error {}
}
