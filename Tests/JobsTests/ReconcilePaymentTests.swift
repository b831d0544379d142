import Foundation
import JobModel
import Jobs
import Postgres
import Store
import Testing

@Suite("Asking what became of a payment")
struct ReconcilePaymentTests {
    /// Leaves attempt 1 in doubt after one call that went as `fault` says.
    private static func leaveInDoubt(_ given: PaymentFixture, _ fault: String) async throws {
        try await given.stub.script([fault])
        let job = given.charge(Checkpoints { if $0 == "doubted" { throw Kill() } })
        await #expect(throws: Kill.self) { try await given.run(job) }
        #expect(try await given.attempts() == ["inv-1-a1 unknown"])
    }

    @Test(
        "a payment in doubt that the gateway has is settled without another charge",
        arguments: ["stored_charged", "proxy_charged"])
    func settles(fault: String) async throws {
        try await PaymentFixture.with { given in
            try await Self.leaveInDoubt(given, fault)
            for _ in 0..<2 {
                guard case .finished(let result) = try await given.reconcile() else {
                    Issue.record("the payment should be settled")
                    return
                }
                #expect(result["status"] == "paid")
            }
            #expect(try await given.stub.requests().count == 1)
            try await given.expectPaidOnce()
        }
    }

    @Test("one the gateway does not have waits for its key's end, and is then given up")
    func lapses() async throws {
        try await PaymentFixture.with { given in
            try await Self.leaveInDoubt(given, "proxy")
            let start = given.clock.now
            var runs = 0
            while case .snooze(let until) = try await given.reconcile() {
                #expect(until > given.clock.now)
                given.clock.set(until)
                runs += 1
                try #require(runs < 200)
            }
            #expect(given.clock.now.timeIntervalSince(start) >= 22.9 * 3600)
            #expect(try await given.attempts() == ["inv-1-a1 lapsed"])
            #expect(try await given.stub.requests().count == 1)
        }
    }

    @Test("one that was given up and turns up after all is settled")
    func turnsUp() async throws {
        try await PaymentFixture.with { given in
            try await Self.leaveInDoubt(given, "proxy_charged")
            _ = try await given.pool.query("update payment_attempts set state = 'lapsed'")
            _ = try await given.reconcile()
            try await given.expectPaidOnce()
        }
    }

    @Test("a second payment of one invoice is never booked silently: an operator must refund it")
    func doublePayment() async throws {
        try await PaymentFixture.with { given in
            try await Self.leaveInDoubt(given, "proxy_charged")
            _ = try await given.pool.query("update payment_attempts set state = 'lapsed'")
            _ = try await given.finish(id: "job-2")
            let failure = await #expect(throws: PermanentFailure.self) {
                try await given.reconcile()
            }
            #expect(failure?.reason.contains("refund pi_000001") == true)
            #expect(try await given.ledger().count == 2)
        }
    }

    @Test("an attempt that does not exist is a permanent failure")
    func unknownAttempt() async throws {
        try await PaymentFixture.with { given in
            await #expect(throws: PermanentFailure.self) {
                try await given.reconcile(attempt: 77)
            }
        }
    }
}
