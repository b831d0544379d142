import Foundation
import JobModel
import Mailbox
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Delayed jobs under many hands")
struct DelayedRaceTests {
    private static let jobs = 400

    /// What one hand did.
    private struct Deeds: Sendable {
        var cancelled: [String] = []
        var touched: Set<String> = []
        /// Enqueued for sure before they were due.
        var timely: [String: Date] = [:]
    }

    private func another(_ fixture: BrokerFixture) throws -> RedisBroker {
        try RedisBroker(url: fixture.server.url, options: BrokerOptions(), logger: .silent)
    }

    private func enqueue(
        _ ids: [String], _ fixture: BrokerFixture, seed: UInt64
    ) async throws -> Deeds {
        var random = RepeatableRandom(seed: seed)
        let broker = try another(fixture)
        var deeds = Deeds()
        for start in stride(from: 0, to: ids.count, by: 5) {
            let some = ids[start..<min(start + 5, ids.count)]
            let messages = some.map { id in
                fixture.message(
                    id, eta: Date(timeIntervalSinceNow: .random(in: 0.1...0.6, using: &random)))
            }
            try await broker.enqueue(messages)
            let now = Date()
            for message in messages {
                if let eta = message.eta, eta > now { deeds.timely[message.id.text] = eta }
            }
        }
        return deeds
    }

    private func meddle(
        _ ids: [String], _ fixture: BrokerFixture, seed: UInt64
    ) async throws -> Deeds {
        var random = RepeatableRandom(seed: seed)
        let broker = try another(fixture)
        var deeds = Deeds()
        for _ in 0..<250 {
            let chosen = (0..<3).map { _ in ids.randomElement(using: &random) ?? "" }
            let jobs = try await broker.delayedJobs(chosen.map { JobID($0) })
            let names = jobs.map { $0.message?.id.text ?? "?" }
            deeds.touched.formUnion(names)
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                let answers = try await broker.cancel(jobs)
                deeds.cancelled += zip(names, answers).filter { $0.1 == .done }.map(\.0)
            case 1:
                _ = try await broker.runNow(jobs)
            default:
                let due = Date(timeIntervalSinceNow: .random(in: -0.1...0.4, using: &random))
                _ = try await broker.reschedule(jobs) { _ in due }
            }
        }
        return deeds
    }

    @Test("each job runs once or is cancelled, none is lost, and the order of due times is kept")
    func interleavings() async throws {
        let fixture = try await BrokerFixture()
        let seed = RepeatableRandom().seed
        print("seed \(seed)")
        let ids = (0..<Self.jobs).map { "job-\($0)" }
        let isOver = Locked(false)
        let all = try await withThrowingTaskGroup(of: Deeds.self) { group in
            for part in 0..<2 {
                let own = ids.enumerated().filter { $0.offset % 2 == part }.map(\.element)
                group.addTask {
                    try await enqueue(own, fixture, seed: seed &+ UInt64(part))
                }
            }
            for hand in 2..<5 {
                group.addTask { try await meddle(ids, fixture, seed: seed &+ UInt64(hand)) }
            }
            for hand in 0..<3 {
                group.addTask {
                    let broker = try another(fixture)
                    while !isOver.withLock({ $0 }) {
                        // Some in turns, as workers do, and one that asks nobody.
                        _ = try await broker.promoteDue(limit: 7, takingTurns: hand > 0)
                    }
                    return Deeds()
                }
            }
            var all: [Deeds] = []
            for _ in 0..<5 { if let deeds = try await group.next() { all.append(deeds) } }
            try await eventually(within: .seconds(30), "all are promoted") {
                try await fixture.broker.delayed() == 0
            }
            isOver.withLock { $0 = true }
            try await group.waitForAll()
            return all
        }
        let reply = try await fixture.raw.send(
            RedisCommand("LRANGE", BrokerFixture.mail.text, 0, -1))
        let ran = try (reply.array ?? []).reversed().compactMap(\.bytes).map {
            try JobMessage(decoding: $0, limits: WireLimits()).id.text
        }
        let cancelled = all.flatMap(\.cancelled)
        #expect((ran + cancelled).sorted() == ids.sorted())
        #expect(!cancelled.isEmpty && cancelled.count < Self.jobs)
        #expect(
            try await fixture.raw.send(RedisCommand("HLEN", "backhaul:delayed:messages")).int == 0)
        for id in cancelled {
            let record = try await fixture.raw.send(RedisCommand("GET", "celery-task-meta-\(id)"))
            #expect(record.string?.contains("REVOKED") == true)
        }
        let touched = all.reduce(into: Set<String>()) { $0.formUnion($1.touched) }
        let timely = all.reduce(into: [String: Date]()) { $0.merge($1.timely) { a, _ in a } }
        let due = ran.filter { !touched.contains($0) }.compactMap { timely[$0] }
        print("\(ran.count) ran, \(cancelled.count) cancelled, \(due.count) left alone")
        #expect(due.count > 1)
        #expect(zip(due, due.dropFirst()).allSatisfy { $1.timeIntervalSince($0) > -0.002 })
    }
}
