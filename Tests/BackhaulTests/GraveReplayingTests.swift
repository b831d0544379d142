import Broker
import Foundation
import JobModel
import Mailbox
import Redis
import TestSupport
import Testing

@testable import Backhaul

@Suite("Replaying at a pace, watching what comes back", .timeLimit(.minutes(2)))
struct GraveReplayingTests {
    private static let queue: QueueName = "mail"
    private static let worker = WorkerID(host: "test", processID: 1, random: 7)

    /// Buries jobs `m1`, `m2`, … and returns their entries, oldest first.
    private func bury(
        _ count: Int, _ server: QueueServer, expires: Date? = nil
    ) async throws -> [String] {
        try await server.broker.enqueue(
            (1...count).map { number in
                var message = OutgoingMessage(
                    id: JobID("m\(number)"), name: "test.job",
                    body: MessageBody(args: [], kwargs: JSONObject()), queue: Self.queue)
                message.expires = expires
                return message
            })
        return try await buryAll(server)
    }

    /// What a worker does whose jobs all fail for good.
    @discardableResult
    private func buryAll(_ server: QueueServer) async throws -> [String] {
        var entries: [String] = []
        let lists = Priority.steps.indices.map { ListAddress(queue: Self.queue, step: $0) }
        let taken = try await server.broker.reserve(upTo: 100, for: Self.worker, from: lists)
        let settlings = try taken.map { delivery in
            let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
            let report = FailureReport(code: "error", type: "Test", message: "no")
            let record = BuriedMessage(
                delivery, id: message.id, name: message.name, because: report, attempts: 1,
                history: message.errorHistory(), at: Date())
            entries.append(record.entry)
            return Settling(delivery: delivery, transition: .bury(in: .dead, record))
        }
        _ = try await server.broker.settle(settlings)
        return entries
    }

    private func replaying(
        _ server: QueueServer, interrupted: Locked<Bool> = Locked(false),
        _ change: (inout GraveReplaying.Options) -> Void
    ) -> GraveReplaying {
        var options = GraveReplaying.Options()
        options.rate = 0
        change(&options)
        return GraveReplaying(
            broker: server.broker, grave: .dead, options: options, isInterrupted: interrupted,
            time: SystemTime())
    }

    @Test("each entry goes back once; what is not there is named")
    func once() async throws {
        let server = try await QueueServer()
        let entries = try await bury(5, server)
        _ = try await server.broker.purge([entries[2]], from: .dead)
        let report = try await replaying(server) { _ in }.run(entries + ["none"]) { _ in }
        #expect(report.replayed == 4)
        #expect(report.gone == [entries[2], "none"])
        #expect(report.left == 0)
        #expect(report.ending == .done)
        let ids = try await server.messages(in: Self.queue).map(\.id.text)
        #expect(ids == ["m1", "m2", "m4", "m5"])
        let again = try await replaying(server) { _ in }.run(entries) { _ in }
        #expect(again.replayed == 0)
        #expect(try await server.waiting(in: Self.queue) == 4)
    }

    @Test("it stops when what was put back fails again, and the rest stays where it was")
    func stops() async throws {
        let server = try await QueueServer()
        let entries = try await bury(60, server)
        let isOver = Locked(false)
        let report = try await withThrowingTaskGroup(of: ReplayReport?.self) { group in
            group.addTask {
                while !isOver.withLock({ $0 }) {
                    try await buryAll(server)
                    await Task.yield()
                }
                return nil
            }
            let report = try await replaying(server) {
                $0.rate = 20
                $0.stop = .count(3)
            }.run(entries) { _ in }
            isOver.withLock { $0 = true }
            try await group.waitForAll()
            return report
        }
        #expect(report.ending == .failedAgain)
        #expect(report.cameBack >= 3)
        #expect(report.replayed < 60)
        #expect(report.left == 60 - report.replayed)
        #expect(report.examples.allSatisfy { $0.hasPrefix("m") } && !report.examples.isEmpty)
        try await buryAll(server)
        #expect(try await server.broker.count(of: .dead) == 60)
    }

    @Test("a result that says FAILURE counts as come back, an old one does not, SUCCESS is noted")
    func results() async throws {
        let server = try await QueueServer()
        let entries = try await bury(3, server)
        func store(_ id: String, _ status: String, _ date: Int) async throws {
            let text = #"{"status": "\#(status)", "result": null, "date_done": "\#(date)"}"#
            _ = try await server.raw.send(RedisCommand("SET", "celery-task-meta-\(id)", text))
        }
        for id in ["m1", "m2", "m3"] { try await store(id, "FAILURE", 1) }
        let report = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await eventually(within: .seconds(20), "the replay") {
                    try await server.waiting(in: Self.queue) == 3
                }
                try await store("m1", "SUCCESS", 2)
                try await store("m2", "FAILURE", 2)
            }
            let report = try await replaying(server) { $0.watch = .seconds(3) }.run(entries) { _ in
            }
            try await group.waitForAll()
            return report
        }
        #expect(report.succeeded == 1)
        #expect(report.cameBack == 1)
        #expect(report.examples == ["m2"])
        #expect(report.unheard == 1)
        #expect(report.ending == .done)
    }

    @Test("an interrupt stops between two entries, and the same again goes on")
    func interrupt() async throws {
        let server = try await QueueServer()
        let entries = try await bury(20, server)
        let interrupted = Locked(false)
        let report = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await eventually(within: .seconds(20), "the beginning") {
                    try await server.waiting(in: Self.queue) >= 3
                }
                interrupted.withLock { $0 = true }
            }
            let report = try await replaying(server, interrupted: interrupted) { $0.rate = 5 }
                .run(entries) { _ in }
            try await group.waitForAll()
            return report
        }
        #expect(report.ending == .interrupted)
        #expect((3..<20).contains(report.replayed))
        #expect(report.left == 20 - report.replayed)
        let rest = try await replaying(server) { _ in }.run(entries) { _ in }
        #expect(rest.replayed == report.left)
        #expect(try await server.waiting(in: Self.queue) == 20)
    }

    @Test("a rate is kept: so many in a second, and no more")
    func pace() async throws {
        let server = try await QueueServer()
        let entries = try await bury(11, server)
        let start = ContinuousClock.now
        _ = try await replaying(server) { $0.rate = 20 }.run(entries) { _ in }
        #expect(ContinuousClock.now - start >= .milliseconds(500))
    }

    @Test("a job whose expiry has passed is left, or loses the expiry where that is wanted")
    func expired() async throws {
        let server = try await QueueServer()
        let entries = try await bury(2, server, expires: Date(timeIntervalSince1970: 1000))
        let left = try await replaying(server) { _ in }.run(entries) { _ in }
        #expect(left.expired == entries)
        #expect(left.left == 2)
        let report = try await replaying(server) { $0.keepsExpiry = false }.run(entries) { _ in }
        #expect(report.replayed == 2)
        #expect(try await server.messages(in: Self.queue).allSatisfy { $0.expires == nil })
    }
}
