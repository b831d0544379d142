import Foundation
import JobModel
import Jobs
import Postgres
import Store
import TestSupport
import Testing

@Suite("Payments under kills")
struct PaymentKillTests {
    @Test(
        "killed at any step and run again, the customer pays once and the books agree",
        arguments: ["ok", "drop_after", "stored_charged", "proxy", "proxy_charged", "busy"])
    func everyStep(fault: String) async throws {
        var place = 0
        var places = Set<String>()
        while true {
            let guillotine = Guillotine(at: place)
            try await PaymentFixture.with { given in
                try await given.stub.script([fault])
                let job = given.charge(guillotine.checkpoints)
                #expect(try await given.finish(job)["status"] == "paid", "killed at \(place)")
                try await given.expectPaidOnce()
            }
            places.formUnion(guillotine.passed)
            // The blade did not fall: every step has had its turn.
            guard guillotine.passed.count > place else { break }
            place += 1
        }
        #expect(place >= 4)
        #expect(places.isSuperset(of: ["committed", "settled", "published"]))
    }

    @Test("a decline killed at any step stays one decline")
    func declines() async throws {
        for place in 0..<4 {
            try await PaymentFixture.with(paymentMethod: "pm_declined") { given in
                let job = given.charge(Guillotine(at: place).checkpoints)
                let result = try await given.finish(job)
                #expect(result["status"] == "declined")
                #expect(try await given.attempts() == ["inv-1-a1 declined"])
            }
        }
    }

    @Test("many invoices, four workers, faults and kills: the gateway's books equal the ledger")
    func soak() async throws {
        let seed = UInt64.random(in: 1...UInt64(UInt32.max))
        let invoices = 80
        try await PaymentFixture.with(invoices: invoices) { given in
            try await given.stub.misbehave(
                seed: seed,
                [
                    "drop_after": 0.1, "drop_before": 0.05, "busy": 0.05, "stored_charged": 0.05,
                    "proxy": 0.05, "proxy_charged": 0.05,
                ])
            try await withThrowingTaskGroup { group in
                for worker in 0..<4 {
                    group.addTask {
                        var random = RepeatableRandom(seed: seed &+ UInt64(worker))
                        // Neighbours overlap, so that two workers meet on half of the invoices.
                        for step in 0..<(invoices / 2) {
                            let invoice = Int64((worker * invoices / 4 + step) % invoices) + 1
                            let kills = Guillotine(at: Int(random.next() % 8))
                            _ = try await given.finish(
                                given.charge(kills.checkpoints), invoice: invoice,
                                id: "job-\(worker)-\(invoice)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            let charges = try await given.stub.charges()
            #expect(charges.count == invoices, "seed \(seed)")
            #expect(Set(charges.map(\.invoice)).count == invoices, "seed \(seed)")
            let ledger = LedgerRepository(pool: given.pool)
            let clearing = try await ledger.balance(of: "gateway_clearing", currency: "USD")
            #expect(clearing == charges.reduce(0) { $0 + $1.amount }, "seed \(seed)")
            let recorded = try await events(given.pool).map(\.id)
            #expect(recorded.count == invoices, "seed \(seed)")
            #expect(Set(given.fanOut.all) == Set(recorded), "seed \(seed)")
        }
    }
}
