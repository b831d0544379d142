import Redis
import TestSupport
import Testing

@Suite("A network that swallows everything without a word", .timeLimit(.minutes(5)))
struct BlackHoleTests {
    private static let period = Duration.milliseconds(100)
    private static let probe = Duration.milliseconds(400)

    private func connection(by proxy: TCPProxy) throws -> RedisConnection {
        var options = RedisOptions()
        options.connectTimeout = .milliseconds(500)
        return RedisConnection(
            address: try RedisAddress(url: proxy.redisURL), options: options, logger: .silent)
    }

    @Test(
        "a repetition notices the hole in its own time, for all others on the connection",
        arguments: [TCPProxy.Loss.dropped, .held])
    func repetition(loss: TCPProxy.Loss) async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let connection = try connection(by: proxy)
        let results = Probe<RedisError.Code?>()
        let repetition = connection.repeatedly(every: Self.period, timeout: Self.probe) {
            RedisCommand("PING")
        } onReply: { result in
            if case .failure(let error) = result {
                results.record(error.code)
            } else {
                results.record(nil)
            }
        }
        try await eventually("a beat") { results.values.contains(nil) }
        try await proxy.set(.blackHole(loss))
        // Its own time would be ten seconds, and it shares the fate of the beat behind it.
        let clock = ContinuousClock()
        let start = clock.now
        let error = await failure { () throws(RedisError) in
            try await connection.send(RedisCommand("INCR", "count"))
        }
        #expect(error?.mayHaveBeenExecuted == true)
        #expect(clock.now - start < .seconds(8))
        try await eventually("the end of the old connection") { proxy.traffic[0].isClientGone }
        try await eventually("a beat in vain") { results.values.contains(.timeout) }
        try await proxy.set(.pass)
        let before = results.count
        try await eventually("the recovery") { results.values.dropFirst(before).contains(nil) }
        let count = try await connection.send(RedisCommand("INCR", "count")).int
        #expect(count == 1, "what failed in the hole is not carried out after it")
        repetition.cancel()
        await connection.close()
    }

    @Test("a blocking pipeline waits for a connection briefly, and blocks its whole time after it")
    func patience() async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        try await proxy.set(.blackHole(.dropped))
        let connection = try connection(by: proxy)
        let block = RedisCommand("BLPOP", "queue", "1")
        let error = await failure { () throws(RedisError) in
            try await connection.pipeline(
                [block], timeout: .seconds(60), connecting: .milliseconds(100))
        }
        #expect(error?.code == .connect)
        #expect(error?.mayHaveBeenExecuted == false)
        try await proxy.set(.pass)
        // Blocks for a second, although the connection had to come about in less.
        let replies = try await connection.pipeline(
            [block], timeout: .seconds(30), connecting: .seconds(20))
        #expect(replies == [.null])
        await connection.close()
    }
}
