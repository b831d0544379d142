import Broker
import Foundation
import JobModel
import Logging
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("Maintenance")
struct MaintenanceTests {
    private func broker(_ server: RedisServer) throws -> RedisBroker {
        try RedisBroker(url: server.url, options: BrokerOptions(), logger: .silent)
    }

    private func message(_ id: String, due: Date) -> OutgoingMessage {
        var message = OutgoingMessage(
            id: JobID(id), name: ProbeJob.name,
            body: MessageBody(args: [], kwargs: JSONObject()), queue: WorkerFixture.queue)
        message.eta = due
        return message
    }

    @Test("a promoter sleeps until the next message is due, within its bounds")
    func sleeps() async throws {
        let server = try await RedisServer.start()
        let broker = try broker(server)
        let promoter = DuePromoter(broker: broker)
        #expect(try await promoter.runOnce() == DuePromoter.watch)
        try await broker.enqueue([message("later", due: Date(timeIntervalSinceNow: 3600))])
        #expect(try await promoter.runOnce() == DuePromoter.watch)
        try await broker.enqueue([message("soon", due: Date(timeIntervalSinceNow: 0.3))])
        let wait = try await promoter.runOnce()
        #expect((DuePromoter.resolution...DuePromoter.watch).contains(wait))
    }

    @Test("a promoter goes on at once while more is due")
    func goesOn() async throws {
        let server = try await RedisServer.start()
        let broker = try broker(server)
        let due = Date(timeIntervalSinceNow: 0.2)
        try await broker.enqueue((0..<4).map { message("m\($0)", due: due) })
        let promoter = DuePromoter(broker: broker, batch: 3)
        try await eventually { try await promoter.runOnce() == .zero }
        #expect(try await broker.waiting(in: WorkerFixture.queue).reduce(0, +) == 3)
        #expect(try await promoter.runOnce() == DuePromoter.watch)
        #expect(try await broker.delayed() == 0)
    }

    @Test("of several promoters one works, and another takes over when it asks no more")
    func turns() async throws {
        let server = try await RedisServer.start()
        let (first, second) = (try broker(server), try broker(server))
        #expect(try await DuePromoter(broker: first).runOnce() == DuePromoter.watch)
        let waiting = DuePromoter(broker: second)
        let wait = try await waiting.runOnce()
        #expect((.milliseconds(500) ... .milliseconds(1200)).contains(wait), "\(wait)")
        try await first.enqueue([message("m", due: Date(timeIntervalSinceNow: 0.05))])
        let clock = ContinuousClock()
        let start = clock.now
        try await eventually {
            _ = try await waiting.runOnce()
            return try await second.delayed() == 0
        }
        // The first is gone without a word: its turn has to run out.
        #expect(clock.now - start < .seconds(2))
        #expect(try await first.promoteDue(limit: 1, takingTurns: true).untilTurn != nil)
    }

    @Test("what is due soon is promoted within 100 ms of its time, also when put aside meanwhile")
    func punctual() async throws {
        let server = try await RedisServer.start()
        let broker = try broker(server)
        let loop = try #require(
            MaintenanceLoop.all(
                broker: broker, options: .with { _ in }, outage: Outage(logger: .silent),
                logger: .silent
            ).first)
        let raw = try server.connection()
        let worst = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await loop.run() }
            var worst = 0.0
            for number in 0..<20 {
                let due = Date(timeIntervalSinceNow: Double(number * 37 % 200) / 1000 + 0.05)
                try await broker.enqueue([message("m\(number)", due: due)])
                let popped = try await raw.send(
                    RedisCommand("BLPOP", WorkerFixture.queue.text, 5))
                #expect(popped.array?.count == 2)
                worst = max(worst, Date().timeIntervalSince(due))
            }
            group.cancelAll()
            return worst
        }
        print("promoted at most \(Int(worst * 1000)) ms late")
        #expect(worst < 0.1)
    }
}
