import Dispatch
import Foundation
import Redis
import TestSupport
import Testing

@Suite("Commands that repeat themselves")
struct RedisRepetitionTests {
    @Test("beats go on while every thread of the cooperative pool is blocked")
    func blockedPool() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let threads = ProcessInfo.processInfo.activeProcessorCount
        let blocked = Probe<Int>()
        let beats = Probe<Int?>()
        let release = DispatchSemaphore(value: 0)
        let wanted = 5
        let repetition = connection.repeatedly(every: .milliseconds(10)) {
            RedisCommand("INCR", "beats")
        } onReply: { reply in
            // Only beats while all threads are blocked count.
            guard blocked.count == threads else { return }
            beats.record(try? reply.get().int)
            if beats.count == wanted { for _ in 0..<threads { release.signal() } }
        }
        let results = await withTaskGroup(of: Bool.self) { group in
            for thread in 0..<threads {
                group.addTask { @concurrent in
                    blocked.record(thread)
                    return block(on: release)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        repetition.cancel()
        #expect(results == Array(repeating: true, count: threads))
        let numbers = beats.values.compactMap { $0 }
        #expect(numbers.count >= wanted)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 + 1 })
        await connection.close()
    }

    @Test("a cancelled repetition sends nothing more, and a nil command leaves a beat out")
    func cancel() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let asked = Probe<Void>()
        let replies = Probe<Int?>()
        let repetition = connection.repeatedly(every: .milliseconds(2)) {
            asked.record(())
            return asked.count.isMultiple(of: 2) ? nil : RedisCommand("INCR", "beats")
        } onReply: {
            replies.record(try? $0.get().int)
        }
        try await eventually("five replies") { replies.count >= 5 }
        repetition.cancel()
        // This passes the loop behind the cancellation, so no beat can follow it.
        let sent = try await connection.send(RedisCommand("GET", "beats")).int ?? 0
        let asks = asked.count
        #expect(asks >= 2 * sent - 1)
        #expect(replies.values.compactMap { $0 } == Array(1...sent))
        for _ in 0..<20 { _ = try await connection.send(RedisCommand("PING")) }
        #expect(try await connection.send(RedisCommand("GET", "beats")).int == sent)
        #expect(asked.count == asks)
        await connection.close()
    }

    @Test("beats fail while the server is away, without piling up, and go on when it is back")
    func outage() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let results = Probe<Result<RedisValue, RedisError>>()
        let repetition = connection.repeatedly(
            every: .milliseconds(5), timeout: .milliseconds(50)
        ) {
            RedisCommand("PING")
        } onReply: {
            results.record($0)
        }
        try await eventually("a beat") { results.count >= 1 }
        try await server.kill()
        try await eventually("three failures") { results.values.filter(\.isFailure).count >= 3 }
        try await server.restart()
        let before = results.count
        try await eventually("the recovery") {
            results.values.dropFirst(before).contains { !$0.isFailure }
        }
        repetition.cancel()
        await connection.close()
    }

    @Test("an error reply is heard as a server error, and close as closed")
    func errors() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        _ = try await connection.send(RedisCommand("SET", "text", "a"))
        let codes = Probe<RedisError.Code>()
        let repetition = connection.repeatedly(every: .milliseconds(5)) {
            RedisCommand("INCR", "text")
        } onReply: {
            if case .failure(let error) = $0 { codes.record(error.code) }
        }
        try await eventually("two errors") { codes.count >= 2 }
        await connection.close()
        try await eventually("the end") { codes.values.last == .closed }
        #expect(codes.values.prefix(2) == [.server, .server])
        repetition.cancel()
    }

    /// Blocks this thread, as job code might.
    private func block(on release: DispatchSemaphore) -> Bool {
        release.wait(timeout: .now() + 20) == .success
    }
}

extension Result {
    fileprivate var isFailure: Bool {
        if case .failure = self { true } else { false }
    }
}
