import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("What is asked for, and when")
struct StockTests {
    private let near = Stock.Target(batch: 10, ahead: 20, isFar: false)
    private let far = Stock.Target(batch: 10, ahead: 30, isFar: true)

    private func deliveries(_ count: Int) -> [Delivery] {
        (0..<count).map { number in
            Delivery(
                raw: [], lease: Lease(tag: "test-\(number)"), queue: "test", step: 0,
                reservedAt: Date(timeIntervalSince1970: 0))
        }
    }

    /// One reserve, answered in full.
    private func fetched(_ target: Stock.Target) -> Stock {
        var stock = Stock(queues: ["test"])
        bring(10, asking: stock.claim(target) ?? 0, to: &stock, target)
        return stock
    }

    private func bring(
        _ count: Int, asking claim: Int, to stock: inout Stock, _ target: Stock.Target
    ) {
        stock.ended(asking: claim, bringing: count)
        #expect(stock.keep(deliveries(count), ahead: target.ahead).surplus.isEmpty)
    }

    private func take(_ count: Int, from stock: inout Stock) -> [String] {
        (0..<count).compactMap { _ in
            guard case .delivery(let delivery, _, _) = stock.answer(.early) else { return nil }
            return delivery.lease.tag
        }
    }

    @Test("a near server is asked once at a time, and again when half of what is ahead has gone")
    func asksOnce() {
        var stock = fetched(near)
        #expect(stock.claim(near) == 10)
        #expect(stock.claim(near) == nil)
        bring(10, asking: 10, to: &stock, near)
        #expect(stock.claim(near) == nil)
        #expect(take(9, from: &stock).count == 9)
        #expect(stock.claim(near) == nil)
        #expect(take(1, from: &stock) == ["test-9"])
        #expect(stock.claim(near) == 10)
    }

    @Test("a distant one is asked for the next batch while the last is on its way")
    func asksAhead() {
        var stock = fetched(far)
        #expect(stock.claim(far) == 10)
        #expect(stock.claim(far) == 10)
        #expect(stock.claim(far) == nil, "as much as is wanted is here or asked for")
        #expect(take(10, from: &stock).count == 10)
        #expect(stock.claim(far) == nil, "two are under way")
        bring(10, asking: 10, to: &stock, far)
        #expect(stock.claim(far) == 10)
    }

    @Test("only while it brings all that it is asked for")
    func scarce() {
        var stock = fetched(far)
        let first = stock.claim(far)
        bring(3, asking: first ?? 0, to: &stock, far)
        #expect(stock.claim(far) == 10)
        #expect(stock.claim(far) == nil)
        stock.ended(asking: 10, bringing: nil)
        #expect(stock.claim(far) == 10, "one that failed is tried again")
        #expect(stock.claim(far) == nil)
    }

    @Test("nothing is asked for after empty lists, until something has come")
    func empty() {
        var stock = Stock(queues: ["test"])
        #expect(stock.isAtRest)
        let claim = stock.claim(near)
        #expect(!stock.isAtRest)
        stock.ended(asking: claim ?? 0, bringing: 0)
        #expect(stock.areListsEmpty)
        #expect(stock.claim(near) == nil)
        #expect(!stock.isAtRest, "it waits for the lists")
        stock.areListsEmpty = false
        #expect(stock.claim(near) == 10)
    }

    @Test("what comes after the worker was told to be quiet is given back")
    func quiet() {
        var stock = Stock(queues: ["test"])
        let claim = stock.claim(near)
        stock.isQuiet = true
        stock.ended(asking: claim ?? 0, bringing: 10)
        #expect(stock.keep(deliveries(10), ahead: 20).surplus.count == 10)
        #expect(stock.claim(near) == nil)
        #expect(stock.isAtRest)
    }
}

@Suite("A worker far from its Redis", .timeLimit(.minutes(5)))
struct DistantServerTests {
    @Test("several batches on their way: every job runs once")
    func distant() async throws {
        let count = 600
        let ran = Log<Int>()
        var proxy: TCPProxy?
        let fixture = try await WorkerFixture(
            .with { options in
                options.concurrency = 8
                options.batchSize = 16
            },
            throughProxy: { proxy = $0 },
            body: { payload, _ in
                ran.add(payload.number ?? -1)
                return .done
            })
        try await proxy?.set(.delay(.milliseconds(3)))
        try await fixture.broker.enqueue((1...count).map { fixture.message($0) })
        try await fixture.run {
            try await eventually(within: .seconds(120), "all settled") {
                try await fixture.isIdle()
            }
        }
        #expect(ran.all.sorted() == Array(1...count))
        #expect(fixture.broker.roundTrip > Fetcher.nearLimit)
        #expect(fixture.service.totals["succeeded"] == count)
    }
}
