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
    private func promoter(_ broker: RedisBroker) -> DuePromoter {
        DuePromoter(broker: broker, options: .with { $0.maintenanceBatch = 3 })
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
        let broker = try RedisBroker(url: server.url, options: BrokerOptions(), logger: .silent)
        let promoter = promoter(broker)
        #expect(try await promoter.runOnce() == .seconds(1))
        try await broker.enqueue([message("later", due: Date(timeIntervalSinceNow: 3600))])
        #expect(try await promoter.runOnce() == .seconds(1))
        try await broker.enqueue([message("soon", due: Date(timeIntervalSinceNow: 0.3))])
        let wait = try await promoter.runOnce()
        #expect((DuePromoter.resolution ... .milliseconds(301)).contains(wait))
    }

    @Test("a promoter goes on at once while more may be due")
    func goesOn() async throws {
        let server = try await RedisServer.start()
        let broker = try RedisBroker(url: server.url, options: BrokerOptions(), logger: .silent)
        let due = Date(timeIntervalSinceNow: 0.2)
        try await broker.enqueue((0..<4).map { message("m\($0)", due: due) })
        let promoter = promoter(broker)
        try await eventually { try await promoter.runOnce() == .zero }
        #expect(try await broker.waiting(in: WorkerFixture.queue).reduce(0, +) == 3)
        #expect(try await promoter.runOnce() == .seconds(1))
        #expect(try await broker.delayed() == 0)
    }
}
