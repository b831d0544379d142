import Foundation
import TestSupport
import Testing

/// The small part of the fault suite; `make chaos` is the large one.
@Suite("Faults", .serialized, .timeLimit(.minutes(5)))
struct FaultTests {
    @Test("a storm of kill -9 leaves every effect exactly once")
    func storm() async throws {
        let count = 1200
        let kills = 8
        var random = RepeatableRandom()
        print("seed \(random.seed)")
        try await DrillScene.with { scene in
            try await scene.send(1...count) { $0.isMultiple(of: 4) ? 40 : 0 }
            var workers = try (0..<3).map { _ in try scene.worker() }
            for _ in 0..<kills {
                let victim = workers[Int.random(in: 0..<workers.count, using: &random)]
                try await eventually(within: .seconds(60), "work in its hands, or none left") {
                    let held = try await scene.queues.held(by: victim.pid)
                    let backlog = try await scene.backlog()
                    return held > 0 || backlog == 0
                }
                #expect(try await victim.kill().code == 128 + 9)
                workers.removeAll { $0 === victim }
                workers.append(try scene.worker())
            }
            try await eventually(within: .seconds(60), "the end of all work") {
                try await scene.backlog() == 0
            }
            #expect(try await scene.effects() == .init(rows: count, numbers: count))
            for worker in workers {
                #expect(try await worker.stop().code == 0)
            }
        }
    }

    @Test("a worker stopped past its lease settles nothing late, and no effect is doubled")
    func zombie() async throws {
        let count = 8
        try await DrillScene.with { scene in
            let zombie = try scene.worker(concurrency: count)
            try await zombie.says("worker started")
            try await scene.send(1...count) { _ in 2000 }
            try await eventually(within: .seconds(20), "all jobs in its hands") {
                try await scene.queues.held(by: zombie.pid) == count
            }
            zombie.pause()
            let heir = try scene.worker(concurrency: count)
            try await eventually(within: .seconds(60), "the effects by another worker") {
                try await scene.effects().rows == count
            }
            zombie.resume()
            try await eventually(within: .seconds(30), "every late settle refused") {
                zombie.errors.components(separatedBy: "outcome=lease_lost").count - 1 == count
            }
            #expect(try await scene.effects() == .init(rows: count, numbers: count))
            #expect(try await scene.backlog() == 0)
            #expect(try await zombie.stop().code == 0)
            let ended = try await heir.stop()
            #expect(ended.code == 0)
            #expect(ended.errors.contains("put back jobs whose worker is gone"))
        }
    }
}
