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
        let working = DuePromoter(broker: first)
        let waiting = DuePromoter(broker: second)
        try await eventually {
            _ = try await working.runOnce()
            return try await waiting.runOnce() > DuePromoter.watch
        }
        try await first.enqueue([message("m", due: Date(timeIntervalSinceNow: 0.05))])
        try await eventually {
            _ = try await waiting.runOnce()
            return try await second.delayed() == 0
        }
        // The first went without a word: its turn had to run out.
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
        let late = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await loop.run() }
            var late: [Double] = []
            for number in 0..<20 {
                let due = Date(timeIntervalSinceNow: Double(number * 37 % 200) / 1000 + 0.05)
                try await broker.enqueue([message("m\(number)", due: due)])
                let popped = try await raw.send(
                    RedisCommand("BLPOP", WorkerFixture.queue.text, 5))
                #expect(popped.array?.count == 2)
                late.append(Date().timeIntervalSince(due))
            }
            group.cancelAll()
            return late.sorted()
        }
        print("ms late: \(late.map { Int($0 * 1000) })")
        // Most of them: the machine may have been elsewhere now and then.
        #expect(late[late.count / 2] < 0.1)
    }
}
