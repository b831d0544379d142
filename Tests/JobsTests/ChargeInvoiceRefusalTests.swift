import Foundation
import HTTP
import JobModel
import Jobs
import Postgres
import Store
import Testing

@Suite("Invoices that are not simply charged")
struct ChargeInvoiceRefusalTests {
    @Test("an invoice of nothing is paid without a call")
    func zero() async throws {
        try await PaymentFixture.with(amount: 0) { given in
            for _ in 0..<2 {
                let result = try await given.finish()
                #expect(result["status"] == "paid")
            }
            #expect(try await given.stub.requests().isEmpty)
            #expect(try await given.ledger().isEmpty)
        }
    }

    @Test("a void invoice is left alone")
    func void() async throws {
        try await PaymentFixture.with { given in
            _ = try await given.pool.query("update invoices set status = 'void'")
            #expect(try await given.finish()["status"] == "void")
            #expect(try await given.stub.requests().isEmpty)
        }
    }

    @Test("an invoice voided while its outcome is open is asked about, and never sent again")
    func voidedMeanwhile() async throws {
        try await PaymentFixture.with { given in
            try await given.stub.script(["drop_after"])
            await #expect(throws: HTTPError.self) { try await given.run() }
            _ = try await given.pool.query("update invoices set status = 'void'")
            #expect(try await given.finish()["status"] == "paid")
            #expect(try await given.stub.requests().count == 1)
            #expect(try await given.ledger().count == 2)
        }
    }

    @Test("what no retry can mend is a permanent failure, before anything is written or sent")
    func permanent() async throws {
        try await PaymentFixture.with(paymentMethod: nil) { given in
            await #expect(throws: PermanentFailure.self) { try await given.run(invoice: 99) }
            await #expect(throws: PermanentFailure.self) { try await given.run() }
            let nowhere = given.charge(
                through: PaymentGateway(settings: nil) { _ in throw Kill() })
            await #expect(throws: PermanentFailure.self) { try await given.run(nowhere) }
            let attempts = try await given.attempts()
            #expect(attempts.isEmpty)
        }
    }

    @Test("a refused login changes nothing and is tried again")
    func unauthorized() async throws {
        try await PaymentFixture.with { given in
            let stranger = given.charge(through: given.stub.gateway(key: "wrong"))
            await #expect(throws: GatewayTrouble.self) { try await given.run(stranger) }
            #expect(try await given.attempts() == ["inv-1-a1 sent"])
            _ = try await given.finish()
            try await given.expectPaidOnce()
        }
    }

    @Test("a request the gateway finds invalid closes the attempt and goes to an operator")
    func invalid() async throws {
        try await PaymentFixture.with(paymentMethod: "pm_invalid") { given in
            await #expect(throws: PermanentFailure.self) { try await given.run() }
            let attempts = try await given.attempts()
            #expect(attempts == ["inv-1-a1 declined"])
        }
    }

    @Test("a request found invalid when sent again is asked about: the first may have been taken")
    func invalidAgain() async throws {
        try await PaymentFixture.with(paymentMethod: "pm_invalid") { given in
            try await given.stub.script(["drop_before"])
            await #expect(throws: HTTPError.self) { try await given.run() }
            guard case .snooze = try await given.run() else {
                Issue.record("the job should wait")
                return
            }
            #expect(try await given.attempts() == ["inv-1-a1 unknown"])
        }
    }

    @Test("a payment that the customer must confirm ends the job, and is settled when asked later")
    func confirmation() async throws {
        try await PaymentFixture.with(paymentMethod: "pm_confirm") { given in
            #expect(try await given.finish()["status"] == "requires_action")
            #expect(try await given.finish(id: "job-2")["status"] == "requires_action")
            try await given.stub.confirmAll()
            guard case .finished(let result) = try await given.reconcile() else {
                Issue.record("the payment should be settled")
                return
            }
            #expect(result["status"] == "paid")
            #expect(try await given.stub.requests().count == 1)
            try await given.expectPaidOnce()
        }
    }

    @Test("a payment that takes its time is asked about until it is done")
    func processing() async throws {
        try await PaymentFixture.with(paymentMethod: "pm_slow") { given in
            guard case .snooze(let until) = try await given.run() else {
                Issue.record("the job should wait")
                return
            }
            #expect(until > given.clock.now)
            given.clock.set(until)
            try await given.stub.confirmAll()
            #expect(try await given.finish()["status"] == "paid")
            #expect(try await given.stub.requests().count == 1)
            try await given.expectPaidOnce()
        }
    }

    @Test("no way of printing the gateway's key shows it")
    func secret() {
        let settings = GatewaySettings(
            baseURL: "https://gateway.test/", key: GatewayKey("sk_live_1"))
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(reflecting: settings), dumped, "\(settings.key)"] {
            #expect(!text.contains("sk_live_1"))
        }
        #expect(settings.baseURL == "https://gateway.test")
    }
}
