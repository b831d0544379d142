import Redis
import TestSupport
import Testing

@Suite("The fixture of a network that breaks")
struct TCPProxyTests {
    private let patience = Duration.seconds(30)

    private func connection(
        by proxy: TCPProxy, _ change: (inout RedisOptions) -> Void = { _ in }
    ) throws -> RedisConnection {
        var options = RedisOptions()
        options.commandTimeout = .seconds(20)
        change(&options)
        return RedisConnection(
            address: try RedisAddress(url: proxy.redisURL), options: options, logger: .silent)
    }

    /// The command's outcome within a little time: its text, or the error's code.
    private func outcome(
        _ connection: RedisConnection, _ command: RedisCommand,
        timeout: Duration = .milliseconds(300)
    ) async -> String {
        do throws(RedisError) {
            return try await connection.send(command, timeout: timeout).string ?? "?"
        } catch { return error.code.description }
    }

    @Test("it forwards both ways and counts for each connection")
    func passes() async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let connection = try connection(by: proxy)
        let long = String(repeating: "x", count: 1_000_000)
        #expect(await outcome(connection, RedisCommand("ECHO", long), timeout: patience) == long)
        #expect(proxy.traffic.count == 1)
        #expect(proxy.traffic[0].bytesToServer > 1_000_000)
        #expect(proxy.traffic[0].bytesToClient > 1_000_000)
        await connection.close()
    }

    @Test("bytes that a hole held arrive when it ends, unless their sender has reset meanwhile")
    func holds() async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let raw = try server.connection()
        let connection = try connection(by: proxy)
        _ = try await connection.send(RedisCommand("PING"))
        try await proxy.set(.blackHole(.held))
        let before = proxy.traffic[0].bytesToServer
        async let kept = outcome(connection, RedisCommand("INCR", "kept"), timeout: patience)
        try await eventually("the write") { proxy.traffic[0].bytesToServer > before }
        #expect(try await raw.send(RedisCommand("EXISTS", "kept")).int == 0)
        try await proxy.set(.pass)
        #expect(await kept == "1")
        try await proxy.set(.blackHole(.held))
        #expect(await outcome(connection, RedisCommand("INCR", "lost")) == "timeout")
        try await eventually("the reset") { proxy.traffic[0].isClientGone }
        try await proxy.set(.pass)
        #expect(await outcome(connection, RedisCommand("PING"), timeout: patience) == "PONG")
        #expect(try await raw.send(RedisCommand("EXISTS", "lost")).int == 0)
        await connection.close()
        await raw.close()
    }

    @Test("a connection that lost bytes in a hole stays silent for ever, a new one works")
    func drops() async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let connection = try connection(by: proxy) { $0.connectTimeout = .milliseconds(500) }
        _ = try await connection.send(RedisCommand("PING"))
        try await proxy.set(.blackHole(.dropped))
        #expect(await outcome(connection, RedisCommand("INCR", "lost")) == "timeout")
        try await proxy.set(.pass)
        #expect(await outcome(connection, RedisCommand("PING"), timeout: patience) == "PONG")
        #expect(proxy.traffic.count >= 2)
        await connection.close()
    }

    @Test("refusing ends what is there and what comes")
    func refuses() async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let connection = try connection(by: proxy)
        _ = try await connection.send(RedisCommand("PING"))
        try await proxy.set(.refuse)
        #expect(
            ["connect", "connection_lost"].contains(
                await outcome(connection, RedisCommand("PING"))))
        try await proxy.set(.pass)
        #expect(await outcome(connection, RedisCommand("PING"), timeout: patience) == "PONG")
        await connection.close()
    }

    @Test("a delay keeps the order and takes its time")
    func delays() async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let connection = try connection(by: proxy)
        _ = try await connection.send(RedisCommand("PING"))
        let wait = Duration.milliseconds(50)
        try await proxy.set(.delay(wait))
        let clock = ContinuousClock()
        let start = clock.now
        let replies = try await connection.pipeline((0..<50).map { RedisCommand("ECHO", $0) })
        #expect(replies.compactMap(\.int) == Array(0..<50))
        #expect(clock.now - start >= wait * 2)
        await connection.close()
    }

    @Test("a cut lets exactly so many bytes through", arguments: [0, 1, 13, 14])
    func cuts(count: Int) async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let connection = try connection(by: proxy)
        _ = try await connection.send(RedisCommand("PING"))
        let before = proxy.traffic[0].bytesToServer
        try await proxy.set(.cut(afterBytes: count, .toServer))
        // PING takes 14 bytes on the wire.
        let outcome = await outcome(connection, RedisCommand("PING"))
        #expect(outcome == "connection_lost")
        #expect(proxy.traffic[0].bytesToServer == before + count)
        #expect(proxy.cuts == 1)
        await connection.close()
    }
}
