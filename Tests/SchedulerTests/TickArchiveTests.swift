import Broker
import Foundation
import JobModel
import Mailbox
import Postgres
import Scheduler
import Store
import TestSupport
import Testing

@Suite("The log of ticks is moved to the history", .serialized)
struct TickArchiveTests {
    private let due = Date(timeIntervalSince1970: 1_800_000_000)

    private func items(_ count: Int, from first: Int = 0) -> [TickLogItem] {
        (first..<first + count).flatMap { number in
            let dueAt = due + Double(number)
            return [
                TickLogItem(
                    position: "\(number)-0", entry: "e", dueAt: dueAt, at: dueAt + 0.1,
                    job: JobID("job-\(number)"), event: .enqueued),
                TickLogItem(
                    position: "\(number)-1", entry: "e", dueAt: dueAt, at: dueAt + 2,
                    job: JobID("job-\(number)"), event: .ended("SUCCESS")),
            ]
        }
    }

    private func history(_ pool: PostgresPool) async throws -> [TickRow] {
        var filter = TickHistoryRepository.Filter()
        filter.limit = 5000
        return try await TickHistoryRepository(pool: pool).newest(filter)
    }

    private func archive(
        _ log: InMemoryTickLog, _ pool: PostgresPool, batch: Int = 500,
        recorder: LogRecorder = LogRecorder()
    ) -> TickArchive {
        var options = TickArchive.Options()
        options.batch = batch
        options.pause = .milliseconds(5)
        options.backoff = .exponential(base: .milliseconds(5), cap: .milliseconds(50))
        return TickArchive(
            log: log, history: TickHistoryRepository(pool: pool), options: options,
            logger: recorder.logger)
    }

    @Test("every kind of line arrives as what it is")
    func kinds() async throws {
        try await MigratedDatabase.with { pool in
            let events: [(TickLogItem.Event, String)] = [
                (.enqueued, "enqueued"), (.waiting, "waiting"), (.overlapped, "overlapped"),
                (.passed(.misfire), "misfire"), (.passed(.holiday), "holiday"),
                (.passed(.paused), "paused"), (.triggered, "triggered"),
            ]
            let log = InMemoryTickLog(
                events.enumerated().map { number, event in
                    TickLogItem(
                        position: "\(number)", entry: "e", dueAt: due - Double(number), at: due,
                        job: JobID("j"), event: event.0, missed: number)
                })
            #expect(try await archive(log, pool).runOnce() == events.count)
            let rows = try await history(pool)
            #expect(rows.map(\.outcome) == events.map(\.1))
            #expect(rows.map(\.missed) == Array(0..<events.count))
            #expect(log.items.isEmpty)
        }
    }

    @Test("a crash between writing and removing repeats lines, which changes nothing")
    func crash() async throws {
        try await MigratedDatabase.with { pool in
            let log = InMemoryTickLog(items(20))
            log.failRemoving(with: BrokerError(code: .unavailable, message: "gone"))
            await #expect(throws: TickArchive.Failure.self) {
                _ = try await archive(log, pool, batch: 7).runOnce()
            }
            #expect(log.items.count == 40)
            log.failRemoving(with: nil)
            while try await archive(log, pool, batch: 7).runOnce() > 0 {}
            let rows = try await history(pool)
            #expect(rows.count == 20)
            #expect(
                rows.allSatisfy { $0.endedState == "SUCCESS" && $0.lateness.map { $0 < 1 } == true }
            )
        }
    }

    @Test("three schedulers move one log, while it grows, each tick once")
    func together() async throws {
        try await MigratedDatabase.with { pool in
            let log = InMemoryTickLog(items(300))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    let archive = archive(log, pool, batch: 40)
                    group.addTask { await archive.run() }
                }
                log.append(items(300, from: 300))
                try await eventually(within: .seconds(30)) { log.items.isEmpty }
                group.cancelAll()
            }
            let rows = try await history(pool)
            #expect(rows.count == 600)
            #expect(rows.allSatisfy { $0.endedState == "SUCCESS" && $0.decidedAt != nil })
        }
    }

    @Test("a line that PostgreSQL cannot hold is dropped and told of; its neighbours are kept")
    func poison() async throws {
        try await MigratedDatabase.with { pool in
            var lines = items(10)
            lines[6].entry = "zero\u{0}byte"
            let log = InMemoryTickLog(lines)
            let recorder = LogRecorder()
            let moved = try await archive(log, pool, recorder: recorder).runOnce()
            #expect(moved == 20)
            #expect(log.items.isEmpty)
            let rows = try await history(pool)
            #expect(rows.count == 10)
            let message = "a line of the log of ticks cannot be kept, and was dropped"
            #expect(recorder.lines(message).count == 1)
        }
    }

    @Test("while PostgreSQL is away lines stay in the log, and follow when it is back")
    func outage() async throws {
        let server = try await PostgresServer.start()
        let pool = PostgresServer.pool(try await server.makeDatabase()) {
            $0.connectTimeout = .seconds(2)
        }
        _ = try await Migrator(pool: pool).up()
        let log = InMemoryTickLog(items(5))
        let recorder = LogRecorder()
        await server.kill()
        let archive = archive(log, pool, recorder: recorder)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await archive.run() }
            let message = "history of ticks cannot be kept; the newest are in Redis"
            try await eventually(within: .seconds(20)) { recorder.lines(message).count == 1 }
            #expect(log.items.count == 10)
            try await server.restart()
            try await eventually(within: .seconds(30)) { log.items.isEmpty }
            #expect(recorder.lines(message).count == 1)
            group.cancelAll()
        }
        #expect(try await history(pool).count == 5)
        await pool.shutdown()
        await server.remove()
    }
}

/// A log of ticks in memory.
private final class InMemoryTickLog: TickLog {
    private struct State {
        var items: [TickLogItem]
        var fault: BrokerError?
    }

    private let state: Locked<State>

    init(_ items: [TickLogItem]) { state = Locked(State(items: items)) }

    var items: [TickLogItem] { state.withLock { $0.items } }

    func append(_ items: [TickLogItem]) { state.withLock { $0.items += items } }

    func failRemoving(with error: BrokerError?) { state.withLock { $0.fault = error } }

    func log(after position: String?, limit: Int) async throws(BrokerError) -> [TickLogItem] {
        await Task.yield()
        return state.withLock { state in
            let start =
                position.flatMap { position in
                    state.items.firstIndex { $0.position == position }.map { $0 + 1 }
                } ?? 0
            return Array(state.items[start...].prefix(limit))
        }
    }

    func newestLog(limit: Int) async throws(BrokerError) -> [TickLogItem] {
        state.withLock { $0.items.suffix(limit).reversed() }
    }

    func removeLog(_ positions: [String]) async throws(BrokerError) {
        await Task.yield()
        try state.withLock { (state) throws(BrokerError) in
            if let fault = state.fault { throw fault }
            let gone = Set(positions)
            state.items.removeAll { gone.contains($0.position) }
        }
    }
}
