import Foundation
import HTTP
import JobModel
import Jobs
import Postgres
import Store
import Testing

@Suite("Charging an invoice")
struct ChargeInvoiceTests {
    @Test("the money is asked for once, with the attempt's key, as the gateway wants it")
    func request() async throws {
        try await PaymentFixture.with(amount: 1200, currency: "JPY") { given in
            let result = try await given.finish()
            #expect(result["status"] == "paid")
            #expect(result["invoice_id"] == 1)
            #expect(result["attempt"] == 1)
            let requests = try await given.stub.requests()
            try #require(requests.count == 1)
            #expect(requests[0].key == "inv-1-a1")
            #expect(
                requests[0].body == "amount=1200&currency=jpy&confirm=true&payment_method=pm_card"
                    + "&metadata%5Binvoice_id%5D=1&metadata%5Battempt_key%5D=inv-1-a1")
            #expect(
                requests[0].authorization
                    == "Basic " + Data("sk_test_secret:".utf8).base64EncodedString())
            try await given.expectPaidOnce(amount: 1200, currency: "JPY")
            let payload = try await events(given.pool)[0].payload
            #expect(payload["event"] == "payment.received")
            #expect(payload["data"]?["amount_minor"] == 1200)
            #expect(payload["data"]?["customer_id"] == 1)
        }
    }

    @Test("a repeat charges nothing, gives the same result and fans out again")
    func repeated() async throws {
        try await PaymentFixture.with { given in
            let first = try await given.finish()
            let second = try await given.finish()
            let third = try await given.finish(id: "another job")
            #expect(first == second)
            #expect(first == third)
            #expect(try await given.stub.requests().count == 1)
            #expect(given.fanOut.all.count == 3)
            try await given.expectPaidOnce()
        }
    }

    @Test(
        "whatever goes wrong with the call, the customer pays once under one key",
        arguments: [
            "busy", "in_use", "drop_before", "drop_after", "stored_charged", "proxy",
            "proxy_charged", "drop_after drop_after", "proxy drop_after proxy_charged",
            "busy stored_charged", "drop_before proxy busy in_use",
        ])
    func faults(script: String) async throws {
        try await PaymentFixture.with { given in
            try await given.stub.script(script.split(separator: " ").map(String.init))
            #expect(try await given.finish()["status"] == "paid")
            try await given.expectPaidOnce()
            let requests = try await given.stub.requests()
            #expect(Set(requests.map(\.key)) == ["inv-1-a1"])
            #expect(Set(requests.map(\.body)).count == 1)
        }
    }

    @Test("a Retry-After of the gateway is obeyed")
    func retryAfter() async throws {
        try await PaymentFixture.with { given in
            try await given.stub.script(["busy"])
            let error = await #expect(throws: RetryLater.self) { try await given.run() }
            #expect(error?.delay == .seconds(7))
        }
    }

    @Test("a decline ends the job, and is not tried again by its repeats")
    func decline() async throws {
        try await PaymentFixture.with(paymentMethod: "pm_declined") { given in
            let result = try await given.finish()
            #expect(result["status"] == "declined")
            #expect(result["decline_code"] == "insufficient_funds")
            #expect(try await given.finish() == result)
            #expect(try await given.stub.requests().count == 1)
            #expect(try await given.attempts() == ["inv-1-a1 declined"])
            _ = try await given.pool.query("update customers set payment_method = 'pm_card'")
            #expect(try await given.finish(id: "job-2")["attempt"] == 2)
            #expect(try await given.stub.requests().map(\.key) == ["inv-1-a1", "inv-1-a2"])
            try await given.expectPaidOnce()
        }
    }

    @Test("a failure stored under the key is not sent again; a new key waits for the old one's end")
    func storedFailure() async throws {
        try await PaymentFixture.with { given in
            let start = given.clock.now
            try await given.stub.script(["stored"])
            #expect(try await given.finish()["attempt"] == 2)
            #expect(try await given.stub.requests().map(\.key) == ["inv-1-a1", "inv-1-a2"])
            #expect(given.clock.now.timeIntervalSince(start) >= 23 * 3600 - 1)
            #expect(try await given.attempts() == ["inv-1-a1 lapsed", "inv-1-a2 succeeded"])
            try await given.expectPaidOnce()
        }
    }

    @Test("a price changed meanwhile does not change what is sent again")
    func changedAmount() async throws {
        try await PaymentFixture.with { given in
            try await given.stub.script(["drop_after"])
            await #expect(throws: HTTPError.self) { try await given.run() }
            _ = try await given.pool.query("update invoices set amount_minor = 1, currency = 'EUR'")
            _ = try await given.pool.query("update customers set payment_method = 'pm_other'")
            _ = try await given.finish()
            try await given.expectPaidOnce()
        }
    }

    @Test("a hundred and more later payments of others do not hide an unknown one")
    func pages() async throws {
        try await PaymentFixture.with { given in
            try await given.stub.script(["proxy_charged"])
            let gateway = given.stub.gateway()
            let job = given.charge(
                through: gateway,
                Checkpoints { if $0 == "doubted" { throw Kill() } })
            await #expect(throws: Kill.self) { try await given.run(job) }
            try await given.stub.addForeignPayments(350)
            _ = try await given.finish()
            #expect(try await given.stub.requests().count == 1)
            try await given.expectPaidOnce()
        }
    }

    @Test("a key the gateway may have forgotten is not used again: it is asked instead")
    func spentKey() async throws {
        try await PaymentFixture.with { given in
            try await given.stub.script(["drop_after"])
            await #expect(throws: HTTPError.self) { try await given.run() }
            try await given.stub.forgetKeys()
            given.clock.advance(by: 25 * 3600)
            _ = try await given.finish()
            #expect(try await given.stub.requests().count == 1)
            try await given.expectPaidOnce()
        }
    }

    @Test("an attempt that never reached the gateway is given up after its key's life")
    func lapsedKey() async throws {
        try await PaymentFixture.with { given in
            try await given.stub.script(["drop_before"])
            await #expect(throws: HTTPError.self) { try await given.run() }
            given.clock.advance(by: 22.5 * 3600)
            #expect(try await given.finish()["attempt"] == 2)
            #expect(try await given.stub.requests().map(\.key) == ["inv-1-a1", "inv-1-a2"])
            try await given.expectPaidOnce()
        }
    }

    @Test("eight runs at once charge once")
    func concurrent() async throws {
        try await PaymentFixture.with { given in
            try await withThrowingTaskGroup { group in
                for number in 0..<8 {
                    group.addTask { _ = try await given.finish(id: "job-\(number)") }
                }
                try await group.waitForAll()
            }
            try await given.expectPaidOnce()
        }
    }

    @Test("the stub would show a double charge: with a new key for each call there is one")
    func negativeControl() async throws {
        try await PaymentFixture.with { given in
            let honest = given.stub
            let forgetful = honest.gateway(rewriting: { request in
                request.headers.removeAll { $0.name == "Idempotency-Key" }
                request.headers.append(("Idempotency-Key", UUID().uuidString))
            })
            try await honest.script(["drop_after"])
            _ = try await given.finish(given.charge(through: forgetful))
            #expect(try await honest.charges().count == 2)
        }
    }
}
