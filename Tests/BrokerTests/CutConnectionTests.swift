import Foundation
import JobModel
import Mailbox
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("A connection that breaks at any byte", .timeLimit(.minutes(5)))
struct CutConnectionTests {
    /// The machine's time, which a test moves on so that it need not wait.
    private final class MovedTime: TimeSource {
        private let ahead = Locked(TimeInterval(0))

        var now: Date { Date().addingTimeInterval(ahead.withLock { $0 }) }

        func advance(_ seconds: TimeInterval) { ahead.withLock { $0 += seconds } }
    }

    /// A conversation of reserving, waiting and settling through a proxy.
    private struct Scene {
        let fixture: BrokerFixture
        let proxy: TCPProxy
        let broker: RedisBroker
        let time = MovedTime()
        let list = ListAddress(queue: BrokerFixture.mail, step: 0)

        init() async throws {
            fixture = try await BrokerFixture()
            proxy = try await TCPProxy.start(to: fixture.server.port)
            var options = BrokerOptions()
            options.reclaimGrace = .zero
            options.redis.reconnect = ReconnectBackoff(
                base: .milliseconds(1), cap: .milliseconds(2))
            broker = try RedisBroker(
                url: proxy.redisURL, options: options, time: time, logger: .silent)
        }

        /// Takes one message, whatever breaks: with the script, or with a waiter.
        func take(by waiter: (any ListWaiter)?) async throws -> Delivery {
            let deliveries = Probe<Delivery>()
            try await eventually(within: .seconds(30), "a delivery") {
                do throws(BrokerError) {
                    let some =
                        if let waiter { try await waiter.wait(upTo: .milliseconds(50)) } else {
                            try await broker.reserve(upTo: 1, for: fixture.worker, from: [list])
                        }
                    for delivery in some { deliveries.record(delivery) }
                } catch {
                    // What a reserve took whose answer was lost comes back after a while.
                    time.advance(3)
                    _ = try? await broker.reclaimExpired(limit: 10)
                }
                return deliveries.count > 0
            }
            #expect(deliveries.count == 1)
            return deliveries.values[0]
        }

        /// Acknowledges until answered; returns the answer, and whether it had to ask again.
        func acknowledge(_ delivery: Delivery) async throws -> (Settlement, isRepeat: Bool) {
            let answers = Probe<Settlement>()
            let attempts = Probe<Void>()
            let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
            let settling = Settling(
                delivery: delivery, transition: .acknowledge,
                result: .success(.null, of: message, at: Date(timeIntervalSince1970: 0)))
            try await eventually(within: .seconds(30), "the settlement") {
                attempts.record(())
                do throws(BrokerError) {
                    let answer = try await broker.settle([settling])[0]
                    answers.record(answer)
                } catch {}
                return answers.count > 0
            }
            return (answers.values[0], attempts.count > 1)
        }

        /// One message from acceptance to its end.
        func deliver(_ id: String, by waiter: (any ListWaiter)?) async throws {
            try await fixture.broker.enqueue([fixture.message(id)])
            let delivery = try await take(by: waiter)
            #expect(try fixture.ids([delivery]) == [id])
            let (answer, isRepeat) = try await acknowledge(delivery)
            // Settled before the answer was lost, or now; never by anybody else.
            #expect(answer == .settled || isRepeat, "\(id): \(answer)")
            let census = try await fixture.census()
            #expect(census == [0, 0, 0, 0, 0], "\(id) is still somewhere")
            let result = try await fixture.raw.send(
                RedisCommand("EXISTS", "celery-task-meta-\(id)"))
            #expect(result.int == 1, "\(id) was lost")
        }

        /// The bytes that one undisturbed delivery takes in that direction.
        func length(_ direction: TCPProxy.Direction, by waiter: (any ListWaiter)?) async throws
            -> Int
        {
            try await deliver("warm", by: waiter)
            func bytes() -> Int {
                proxy.traffic.reduce(0) {
                    $0 + (direction == .toServer ? $1.bytesToServer : $1.bytesToClient)
                }
            }
            let before = bytes()
            try await deliver("measured", by: waiter)
            return bytes() - before
        }

        func sweep(_ direction: TCPProxy.Direction, by waiter: (any ListWaiter)?) async throws {
            let length = try await length(direction, by: waiter)
            for offset in 0..<length {
                try await proxy.set(.cut(afterBytes: offset, direction))
                try await deliver("\(direction)-\(offset)", by: waiter)
            }
            try await proxy.set(.pass)
            #expect(proxy.cuts >= length * 9 / 10, "the cuts happened within the conversation")
            print("cut at \(proxy.cuts) of \(length) offsets \(direction)")
        }
    }

    @Test(
        "reserving and settling lose nothing and settle nothing twice, cut at every byte",
        arguments: TCPProxy.Direction.allCases)
    func reserve(direction: TCPProxy.Direction) async throws {
        let scene = try await Scene()
        try await scene.sweep(direction, by: nil)
        await scene.broker.close()
    }

    @Test(
        "waiting on a list loses nothing, cut at every byte", arguments: TCPProxy.Direction.allCases
    )
    func wait(direction: TCPProxy.Direction) async throws {
        let scene = try await Scene()
        let waiter = scene.broker.waiters(for: scene.fixture.worker, on: [scene.list])[0]
        try await scene.sweep(direction, by: waiter)
        await waiter.close()
        await scene.broker.close()
    }
}
