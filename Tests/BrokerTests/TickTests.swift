import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("Ticks and names")
struct TickTests {
    @Test("one tick is enqueued once, by whoever comes first; an older one never")
    func once() async throws {
        let fixture = try await BrokerFixture()
        let due = Date(timeIntervalSince1970: 1_800_000_000)
        let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<20 {
                group.addTask {
                    try await fixture.broker.enqueue(
                        fixture.message("t\(number)"), asTick: due, of: "sweep")
                }
            }
            return try await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(answers.filter { $0 }.count == 1)
        #expect(try await fixture.length("mail") == 1)
        let older = try await fixture.broker.enqueue(
            fixture.message("old"), asTick: due.addingTimeInterval(-1), of: "sweep")
        #expect(!older)
        #expect(try await fixture.broker.lastTicks(of: ["sweep", "none"]) == ["sweep": due])
    }

    @Test("registering never moves an entry that has ticks")
    func register() async throws {
        let fixture = try await BrokerFixture()
        let first = Date(timeIntervalSince1970: 1000)
        try await fixture.broker.register(["a"], at: first)
        try await fixture.broker.register(["a", "b"], at: Date(timeIntervalSince1970: 2000))
        let ticks = try await fixture.broker.lastTicks(of: ["a", "b"])
        #expect(ticks == ["a": first, "b": Date(timeIntervalSince1970: 2000)])
    }

    @Test("a worker's identity survives its tag, and other tags have no owner")
    func identity() {
        let worker = WorkerID(host: "node-1.isp.example", processID: 42, random: 99)
        #expect(worker.text.allSatisfy { $0 != "-" && $0 != "*" })
        #expect(WorkerID(owning: "\(worker.text)-12-3") == worker)
        #expect(WorkerID(owning: "8b97054d-e1fb-4828-9412-ab53c59f29ff") == nil)
    }
}
