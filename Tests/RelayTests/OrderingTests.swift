import Broker
import Foundation
import JobModel
import Mailbox
import Postgres
import Store
import TestSupport
import Testing

@testable import Relay

@Suite("The order of jobs with one key", .timeLimit(.minutes(2)))
struct OrderingTests {
    private static let keys = ["a", "b", "c"]

    @Test("several writers, several relays, some of them cut off: each key in the order of commits")
    func order() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let commits = Locked<[String: [String]]>([:])
            let isOver = Locked(false)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for relay in 0..<3 {
                    group.addTask {
                        let random = Locked(RepeatableRandom(seed: UInt64(relay)))
                        // Every eighth step is the round's last.
                        let round = try fixture.round(batch: 7) { _ in
                            let isCut = random.withLock { Int.random(in: 0..<8, using: &$0) == 0 }
                            if isCut { throw CutOff() }
                        }
                        while true {
                            let wasOver = isOver.withLock { $0 }
                            do { _ = try await round.run() } catch is CutOff {}
                            if wasOver, try await fixture.number() == 0 { return }
                        }
                    }
                }
                try await withThrowingTaskGroup(of: Void.self) { writers in
                    for writer in 0..<4 {
                        writers.addTask {
                            try await Self.write(30, by: writer, commits, fixture)
                        }
                    }
                    try await writers.waitForAll()
                }
                isOver.withLock { $0 = true }
                try await group.waitForAll()
            }
            for key in Self.keys {
                let queue = try QueueName("queue-\(key)")
                #expect(
                    try await fixture.pushed(in: queue) == commits.withLock { $0[key] ?? [] },
                    "key \(key)")
            }
        }
    }

    /// Writes jobs under random keys; notes each while its transaction still holds the key.
    private static func write(
        _ count: Int, by writer: Int, _ commits: Locked<[String: [String]]>,
        _ fixture: RelayFixture
    ) async throws {
        var random = RepeatableRandom(seed: UInt64(100 + writer))
        for _ in 0..<count {
            let key = keys[Int.random(in: 0..<keys.count, using: &random)]
            try await fixture.pool.transaction { transaction in
                let rows = try await transaction.query(
                    """
                    select backhaul.enqueue('test.job', queue => \("queue-" + key),
                        ordering_key => \(key)) as id
                    """)
                let id: String = try rows[0]["id"]
                commits.withLock { $0[key, default: []].append(id) }
            }
        }
    }

    @Test("while one relay has them no other takes any, and rows without a key go on")
    func oneAtATime() async throws {
        try await RelayFixture.with { (fixture) async throws in
            let first = try await fixture.enqueue(key: "k")
            let second = try await fixture.enqueue(key: "k")
            let other = try fixture.round()
            let holder = try fixture.round(batch: 1) { step in
                guard step == .claimed else { return }
                let free = try await fixture.enqueue()
                #expect(try await other.run().pushed == 1)
                #expect(try await fixture.pushed() == [free])
            }
            _ = try await holder.run()
            #expect(try await other.run().pushed == 1)
            #expect(try await Array(fixture.pushed().suffix(2)) == [first, second])
        }
    }
}
