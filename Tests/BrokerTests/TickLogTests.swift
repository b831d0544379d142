import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("The log of ticks")
struct TickLogTests {
    @Test("it is read from the oldest on, page by page, and from the newest back")
    func pages() async throws {
        let scene = try await TickScene()
        #expect(try await scene.broker.log(after: nil, limit: 10).isEmpty)
        #expect(try await scene.broker.newestLog(limit: 10).isEmpty)
        for number in 1...25 { try await scene.enqueue(number) }
        var numbers: [Int] = []
        var position: String?
        while true {
            let page = try await scene.broker.log(after: position, limit: 10)
            guard let last = page.last else { break }
            #expect(page.count <= 10)
            numbers += page.map { Int($0.dueAt.timeIntervalSince(TickScene.start) / 60) }
            position = last.position
        }
        #expect(numbers == Array(1...25))
        let newest = try await scene.broker.newestLog(limit: 3)
        #expect(newest.map(\.dueAt) == [25, 24, 23].map(scene.due))
        #expect(try await scene.broker.log(after: nil, limit: 0).isEmpty)
    }

    @Test("lines are removed once; those that are gone are no error")
    func removal() async throws {
        let scene = try await TickScene()
        for number in 1...5 { try await scene.enqueue(number) }
        let all = try await scene.broker.log(after: nil, limit: 10).map(\.position)
        try await scene.broker.removeLog([])
        try await scene.broker.removeLog(Array(all.prefix(3)))
        try await scene.broker.removeLog(all.prefix(4) + ["1-1"])
        #expect(try await scene.broker.log(after: nil, limit: 10).map(\.position) == [all[4]])
        #expect(try await scene.broker.log(after: all[0], limit: 10).map(\.position) == [all[4]])
        await #expect(throws: BrokerError.self) {
            try await scene.broker.removeLog(["no position"])
        }
    }

    @Test("lines of a later version are passed over, and hide nothing")
    func foreign() async throws {
        let scene = try await TickScene()
        for number in 0..<12 {
            _ = try await scene.fixture.raw.send(
                RedisCommand(
                    "XADD", "backhaul:ticks:log", "*", "event", "postponed", "entry", "a", "due",
                    number, "at", 1, "job", "j", "missed", 0, "state", ""))
        }
        _ = try await scene.fixture.raw.send(
            RedisCommand("XADD", "backhaul:ticks:log", "*", "something", "else"))
        try await scene.enqueue(1)
        #expect(try await scene.broker.log(after: nil, limit: 5).map(\.entry) == ["sweep"])
        #expect(try await scene.broker.newestLog(limit: 5).map(\.entry) == ["sweep"])
    }

    @Test("it does not grow beyond its limit")
    func bounded() async throws {
        let scene = try await TickScene { $0.maximumTickLog = 300 }
        for start in stride(from: 1, to: 2000, by: 50) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in start..<start + 50 {
                    group.addTask {
                        try await scene.broker.trigger(
                            scene.message(number), of: TickScene.entry, at: scene.due(number))
                    }
                }
                try await group.waitForAll()
            }
        }
        let length = try await scene.fixture.raw.send(RedisCommand("XLEN", "backhaul:ticks:log"))
        // Redis drops whole nodes of 100 lines.
        #expect((300...400).contains(length.int ?? 0))
        let memory = try await scene.fixture.raw.send(
            RedisCommand("MEMORY", "USAGE", "backhaul:ticks:log"))
        print("\(length.int ?? 0) lines of the log of ticks take \(memory.int ?? 0) bytes")
    }
}
