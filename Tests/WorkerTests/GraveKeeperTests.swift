import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("The graves are kept within their bounds")
struct GraveKeeperTests {
    @Test("what is dropped is logged with its count, too many apart from too old")
    func drops() async throws {
        let server = try await RedisServer.start()
        var options = BrokerOptions()
        options.maximumDead = 2
        options.maximumQuarantinedAge = .seconds(60)
        let broker = try RedisBroker(url: server.url, options: options, logger: .silent)
        let raw = try server.connection()
        for number in 1...5 {
            _ = try await raw.pipeline([
                RedisCommand(
                    "ZADD", "backhaul:dead", Date().timeIntervalSince1970 * 1000, "e\(number)"),
                RedisCommand("ZADD", "backhaul:quarantine", number, "e\(number)"),
            ])
        }
        let log = RecordedLog()
        let keeper = GraveKeeper(broker: broker, logger: log.logger)
        #expect(try await keeper.runOnce() == GraveKeeper.interval)
        #expect(
            log.lines.map(\.message) == [
                "dropped buried messages beyond the most that are kept",
                "dropped buried messages that were too old",
            ])
        #expect(log.lines.map { $0.metadata[LogKey.count] } == ["3", "5"])
        #expect(log.lines.map { $0.metadata[LogKey.graveName] } == ["dead", "quarantine"])
        #expect(try await keeper.runOnce() == GraveKeeper.interval)
        #expect(log.lines.count == 2)
    }

    @Test("a keeper that dropped all it may goes on at once")
    func goesOn() async throws {
        let server = try await RedisServer.start()
        var options = BrokerOptions()
        options.maximumDead = 1
        let broker = try RedisBroker(url: server.url, options: options, logger: .silent)
        let raw = try server.connection()
        _ = try await raw.pipeline(
            (0..<700).map {
                RedisCommand("ZADD", "backhaul:dead", Date().timeIntervalSince1970 * 1000, "e\($0)")
            })
        let keeper = GraveKeeper(broker: broker, logger: .silent)
        #expect(try await keeper.runOnce() == GraveKeeper.pause)
        #expect(try await keeper.runOnce() == GraveKeeper.interval)
        #expect(try await broker.count(of: .dead) == 1)
    }
}
