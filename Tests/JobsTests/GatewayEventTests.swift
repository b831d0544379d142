import Foundation
import HTTP
import JobModel
import Mailbox
import Postgres
import Store
import Testing

@testable import Jobs

@Suite("Events that the payment gateway sends")
struct GatewayEventTests {
    private static func job(_ given: PaymentFixture) -> GatewayEvent {
        let book = PaymentBook(pool: given.pool, publisher: given.fanOut.publisher)
        return GatewayEvent(
            resolver: AttemptResolver(gateway: given.stub.gateway(), book: book),
            publisher: given.fanOut.publisher)
    }

    /// One run of the job, as a worker makes it: from an encoded message.
    @discardableResult
    private static func take(
        _ given: PaymentFixture, _ type: String = "payment_intent.succeeded",
        of payment: String? = "pi_000001", data: JSONValue? = nil, id: String = "evt_1"
    ) async throws -> JSONValue {
        let payload = GatewayEvent.Payload(
            eventID: id, type: type, objectID: payment, data: data)
        guard case .object(let kwargs) = try JSONValue(encoding: payload) else { return .null }
        let verdict = try await RegisteredJob(job(given)).run(
            MessageBody(args: [], kwargs: kwargs), in: jobContext(id, time: given.clock))
        guard case .finished(let result) = verdict else {
            Issue.record("the event should be finished, not \(verdict)")
            return .null
        }
        return result
    }

    /// Makes a charge whose answer never came; the gateway took the money, or did not.
    private static func leaveSent(_ given: PaymentFixture) async throws {
        try await given.stub.script(["drop_after"])
        await #expect(throws: HTTPError.self) { try await given.run() }
        #expect(try await given.attempts() == ["inv-1-a1 sent"])
    }

    @Test("a payment whose charge never heard its answer is settled by the event, once")
    func settles() async throws {
        try await PaymentFixture.with { (given) async throws in
            try await Self.leaveSent(given)
            for number in 1...3 {
                let result = try await Self.take(given, id: "evt_\(number)")
                #expect(result["outcome"] == "paid")
                #expect(result["charge"]?["invoice_id"] == 1)
            }
            try await given.expectPaidOnce()
            // The charge's own redelivery finds it done, and asks for no money.
            #expect(try await given.finish()["status"] == "paid")
            #expect(try await given.stub.requests().count == 1)
            try await given.expectPaidOnce()
        }
    }

    @Test("twice at once, and before the charge hears its own answer: one settle")
    func beforeTheReply() async throws {
        try await PaymentFixture.with { (given) async throws in
            let results = Locked<[JSONValue]>([])
            let gateway = given.stub.gateway(beforeReply: {
                try await withThrowingTaskGroup(of: JSONValue.self) { group in
                    for number in 1...2 {
                        group.addTask { try await Self.take(given, id: "evt_\(number)") }
                    }
                    for try await result in group { results.withLock { $0.append(result) } }
                }
            })
            #expect(try await given.finish(given.charge(through: gateway))["status"] == "paid")
            #expect(results.withLock { $0.map { $0["outcome"] } } == ["paid", "paid"])
            try await given.expectPaidOnce()
        }
    }

    @Test("the event is not believed: what the gateway says now is booked")
    func refetches() async throws {
        try await PaymentFixture.with(paymentMethod: "pm_confirm") { (given) async throws in
            #expect(try await given.finish()["status"] == "requires_action")
            // A forged or early word of success changes nothing …
            #expect(try await Self.take(given)["outcome"] == "requires_action")
            #expect(try await given.attempts() == ["inv-1-a1 requires_action"])
            try await given.stub.confirmAll()
            // … and a late word of failure does not undo what the customer confirmed.
            #expect(
                try await Self.take(given, "payment_intent.payment_failed")["outcome"] == "paid")
            try await given.expectPaidOnce()
        }
    }

    @Test("a declined payment is booked as declined, also when the charge knows it already")
    func declined() async throws {
        try await PaymentFixture.with(paymentMethod: "pm_declined") { (given) async throws in
            try await Self.leaveSent(given)
            for _ in 0..<2 {
                let result = try await Self.take(given, "payment_intent.payment_failed")
                #expect(result["outcome"] == "declined")
                #expect(result["charge"]?["decline_code"] == "insufficient_funds")
            }
            #expect(try await given.attempts() == ["inv-1-a1 declined"])
            #expect(try await given.ledger() == [])
        }
    }

    @Test("a payment that the gateway still works on is left alone")
    func processing() async throws {
        try await PaymentFixture.with(paymentMethod: "pm_slow") { (given) async throws in
            _ = try await given.run()
            let before = try await given.attempts()
            #expect(
                try await Self.take(given, "payment_intent.processing")["outcome"] == "undecided")
            #expect(try await given.attempts() == before)
        }
    }

    @Test("events about other things are acknowledged without asking the gateway")
    func otherTypes() async throws {
        try await PaymentFixture.with { (given) async throws in
            let result = try await Self.take(given, "invoice.finalized", of: nil)
            #expect(result["outcome"] == "ignored")
            #expect(result["type"] == "invoice.finalized")
            #expect(result["event_id"] == "evt_1")
        }
    }

    @Test("a payment that another program made is acknowledged and left alone")
    func foreign() async throws {
        try await PaymentFixture.with { (given) async throws in
            try await given.stub.addForeignPayments(1)
            #expect(try await Self.take(given)["outcome"] == "foreign")
        }
    }

    @Test("the id may come as the event's object; the rest of it is not read")
    func object() async throws {
        try await PaymentFixture.with { (given) async throws in
            try await Self.leaveSent(given)
            let data: JSONValue = [
                "object": ["id": "pi_000001", "status": "canceled", "amount": 1]
            ]
            #expect(try await Self.take(given, of: nil, data: data)["outcome"] == "paid")
            try await given.expectPaidOnce()
        }
    }

    @Test("an attempt that is not in the database is tried again, and dead in the end")
    func unknownAttempt() async throws {
        try await PaymentFixture.with { (given) async throws in
            try await Self.leaveSent(given)
            _ = try await given.pool.query("update payment_attempts set idem_key = 'other'")
            await #expect(throws: UnknownAttempt.self) { try await Self.take(given) }
            #expect(GatewayEvent.policy.retry.maximumRetries == 15)
        }
    }

    @Test("a payment that the gateway does not know yet is tried again")
    func unknownPayment() async throws {
        try await PaymentFixture.with { (given) async throws in
            await #expect(throws: GatewayTrouble.self) {
                try await Self.take(given, of: "pi_999999")
            }
        }
    }

    @Test(
        "what is no payment's id never becomes part of an address",
        arguments: ["pi_1/../../v1/refunds", "pi_1?expand[]=x", "ch_1", "", "pi_", "pi_é"])
    func badID(id: String) async throws {
        try await PaymentFixture.with { (given) async throws in
            await #expect(throws: PermanentFailure.self) { try await Self.take(given, of: id) }
            await #expect(throws: PermanentFailure.self) {
                try await Self.take(given, of: nil, data: ["object": ["id": .string(id)]])
            }
        }
    }

    @Test("a second payment of one attempt is not booked silently: an operator must refund it")
    func secondPayment() async throws {
        try await PaymentFixture.with { (given) async throws in
            #expect(try await given.finish()["status"] == "paid")
            // A gateway that forgot the key takes the money again.
            try await given.stub.forgetKeys()
            let attempt = try #require(
                await PaymentAttemptRepository(pool: given.pool).find(key: "inv-1-a1"))
            _ = try await given.stub.gateway().charge(attempt)
            let failure = await #expect(throws: PermanentFailure.self) {
                try await Self.take(given, of: "pi_000002")
            }
            #expect(failure?.reason.contains("refund pi_000002") == true)
            #expect(try await given.ledger().count == 2)
        }
    }
}
