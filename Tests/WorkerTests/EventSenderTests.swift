import Broker
import Foundation
import JobModel
import TestSupport
import Testing

@testable import Worker

@Suite("Events are sent whenever Redis takes them")
struct EventSenderTests {
    private let server: RedisServer
    private let proxy: TCPProxy
    private let monitor: EventMonitor
    private let buffer = EventBuffer(maximumCount: 16)
    private let log = RecordedLog()
    private let sender: EventSender

    init() async throws {
        server = try await RedisServer.start()
        proxy = try await TCPProxy.start(to: server.port)
        monitor = try await EventMonitor(server)
        let broker = try RedisBroker(
            url: proxy.redisURL, options: BrokerOptions(), logger: .silent)
        sender = EventSender(
            buffer: buffer, channel: broker.eventChannel(),
            node: EventNode(name: "backhaul@test", processID: 1), logger: log.logger)
    }

    private func add(_ numbers: ClosedRange<Int>) {
        for number in numbers {
            buffer.add(
                EventRecord(.taskStarted(JobID("\(number)")), clock: number, at: Date()))
        }
    }

    private var heard: [Int] { monitor.events.compactMap { $0["clock"]?.intValue } }

    /// Runs the sender while `act` goes on, then closes and waits for it.
    private func run(_ act: () async throws -> Void) async throws {
        try await monitor.listen {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await self.sender.run() }
                defer { buffer.close() }
                try await act()
            }
        }
    }

    @Test("what is told while Redis is away arrives when it is back, without a word")
    func outage() async throws {
        try await run {
            add(1...2)
            try await eventually { heard == [1, 2] }
            try await proxy.set(.refuse)
            add(3...5)
            try await eventually { sender.isAway }
            add(6...9)
            try await proxy.set(.pass)
            try await eventually { heard == Array(1...9) }
            try await eventually { !sender.isAway }
        }
        #expect(log.lines.isEmpty)
    }

    @Test("what the buffer cannot hold meanwhile is dropped, the oldest first, and said once")
    func overflow() async throws {
        try await run {
            try await proxy.set(.refuse)
            add(1...1)
            try await eventually { sender.isAway }
            add(2...41)
            try await proxy.set(.pass)
            try await eventually { heard.last == 41 }
            try await eventually { !log.lines.isEmpty }
        }
        #expect(heard == [1] + Array((41 - heard.count + 2)...41))
        #expect(log.lines.map(\.message) == ["monitors were not told of all jobs"])
        #expect(log.lines.first?.metadata[LogKey.count] == "\(41 - heard.count)")
    }

    @Test("a worker that stops while Redis is away gives up soon, and says how much")
    func stopping() async throws {
        try await proxy.set(.refuse)
        let clock = ContinuousClock()
        var start = clock.now
        try await run {
            add(1...3)
            try await eventually { sender.isAway }
            start = clock.now
        }
        #expect(clock.now - start < .seconds(8))
        #expect(log.lines.map(\.message) == ["monitors were not told of all jobs"])
        #expect(log.lines.first?.metadata[LogKey.count] == "3")
    }

    @Test("heartbeats that could not be sent are not sent later")
    func staleHeartbeats() async throws {
        try await run {
            try await proxy.set(.refuse)
            buffer.add(
                EventRecord(
                    .workerHeartbeat(WorkerBeat(active: 0, processed: 0)), clock: 1, at: Date()))
            add(2...2)
            try await eventually { sender.isAway }
            try await proxy.set(.pass)
            try await eventually { heard == [2] }
        }
        #expect(monitor.last("worker-heartbeat") == nil)
    }
}
