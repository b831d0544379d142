import NIOCore
import TestSupport
import Testing

@testable import Redis

@Suite("How far a server is")
struct LeastRoundTripTests {
    @Test("one that was busy is as near as before; one that moved away is noticed")
    func window() {
        var least = LeastRoundTrip()
        #expect(least.record(.microseconds(300)) == .microseconds(300))
        #expect(least.record(.microseconds(100)) == .microseconds(100))
        for _ in 0..<62 { #expect(least.record(.milliseconds(5)) == .microseconds(100)) }
        for _ in 0..<63 { #expect(least.record(.milliseconds(2)) == .microseconds(100)) }
        #expect(least.record(.milliseconds(2)) == .microseconds(100))
        #expect(least.record(.milliseconds(3)) == .milliseconds(2))
    }

    @Test("the way there and back is measured, not the time spent blocking")
    func measured() async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let connection = RedisConnection(
            address: try RedisAddress(url: proxy.redisURL), logger: .silent)
        #expect(connection.roundTrip == .zero)
        try await proxy.set(.delay(.milliseconds(5)))
        _ = try await connection.send(RedisCommand("PING"))
        #expect(connection.roundTrip >= .milliseconds(5))
        try await proxy.set(.pass)
        for _ in 0..<130 {
            _ = try await connection.pipeline(
                [RedisCommand("BLPOP", "nothing", "0.002")], timeout: .seconds(5),
                connecting: .seconds(5))
        }
        #expect(connection.roundTrip >= .milliseconds(5), "waits on purpose count for nothing")
        for _ in 0..<130 { _ = try await connection.send(RedisCommand("PING")) }
        #expect(connection.roundTrip < .milliseconds(5))
        await connection.close()
    }
}
