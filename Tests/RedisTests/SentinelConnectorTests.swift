import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import Redis

@Suite("Looking a master up, with a pretended network and clock")
struct SentinelConnectorTests {
    /// A connection by way of the Sentinels s1 and s2, whose channels the test answers by hand.
    private final class Scene: Sendable {
        let loop = NIOAsyncTestingEventLoop()
        let log = RecordedLog()
        let connection: RedisConnection
        private let opened = Probe<(RedisAddress.Endpoint, NIOAsyncTestingChannel)>()

        init(query: String = "") throws {
            let address = try RedisAddress(url: "redis-sentinel://s1,s2?master=m\(query)")
            guard case .sentinel(let sentinels) = address.endpoint else {
                throw FixtureError("the URL names no Sentinel")
            }
            let opened = opened
            let somewhere = try PretendedNetwork.somewhere
            let connector = SentinelConnector(sentinels, timeout: .seconds(5)) { endpoint, _ in
                ChannelConnector { loop, makeHandler in
                    guard let loop = loop as? NIOAsyncTestingEventLoop else {
                        return loop.makeFailedFuture(FixtureError("another loop"))
                    }
                    let channel = NIOAsyncTestingChannel(loop: loop)
                    return channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(makeHandler())
                        opened.record((endpoint, channel))
                        return channel
                    }.flatMap { (channel: any Channel) in
                        channel.connect(to: somewhere).map { channel }
                    }
                }
            }
            connection = RedisConnection(
                core: ConnectionCore(
                    loop: loop, connector: connector.connector, address: address,
                    options: RedisOptions(), random: SystemRandomNumberGenerator(),
                    logger: log.logger))
        }

        /// The channel opened as number `index`, which must go to `host`.
        func channel(_ index: Int, to host: String) async throws -> NIOAsyncTestingChannel {
            try await eventually("channel \(index)") { opened.count > index }
            let (endpoint, channel) = opened.values[index]
            guard case .tcp(let name, _) = endpoint, name == host else {
                throw FixtureError("channel \(index) goes to \(endpoint)")
            }
            return channel
        }

        /// Lets a Sentinel name a master at `host`.
        func name(_ host: String, by sentinel: NIOAsyncTestingChannel) async throws {
            let asked = try await sentinel.read()
            #expect(asked == RedisCommand("SENTINEL", "get-master-addr-by-name", "m").wireText)
            try await sentinel.say("*2\r\n$\(host.utf8.count)\r\n\(host)\r\n$4\r\n7001\r\n")
        }

        /// Answers the handshake as a server with that role.
        func greet(_ server: NIOAsyncTestingChannel, as role: String) async throws {
            let asked = try await server.read()
            #expect(
                asked == RedisCommand("ROLE").wireText + RedisCommand("CLIENT", "ID").wireText)
            try await server.say("*1\r\n$\(role.utf8.count)\r\n\(role)\r\n:7\r\n")
        }

        func advance(_ time: Duration) async {
            await loop.advanceTime(by: TimeAmount(bounded: time))
        }

        func end() async {
            await connection.close()
            await loop.shutdownGracefully()
        }
    }

    private let ping = RedisCommand("PING")

    private func outcome(_ connection: RedisConnection) async -> String {
        do throws(RedisError) {
            return try await connection.send(ping, timeout: .seconds(600)).string ?? "?"
        } catch { return "\(error)" }
    }

    @Test("a Sentinel that does not answer costs a second, and who answered is asked first later")
    func silentSentinel() async throws {
        let scene = try Scene()
        async let pong = outcome(scene.connection)
        let silent = try await scene.channel(0, to: "s1")
        _ = try await silent.read()
        await scene.advance(.seconds(1))
        #expect(!silent.isActive)
        let second = try await scene.channel(1, to: "s2")
        try await scene.name("db1", by: second)
        let master = try await scene.channel(2, to: "db1")
        try await scene.greet(master, as: "master")
        #expect(try await master.read() == ping.wireText)
        try await master.say("+PONG\r\n")
        #expect(await pong == "PONG")
        #expect(!second.isActive)
        try await master.close()
        await scene.advance(.milliseconds(100))
        _ = try await scene.channel(3, to: "s2")
        await scene.end()
    }

    @Test("a named server that is a replica is refused, and another Sentinel is asked next")
    func replica() async throws {
        let scene = try Scene()
        async let pong = outcome(scene.connection)
        try await scene.name("db1", by: scene.channel(0, to: "s1"))
        let replica = try await scene.channel(1, to: "db1")
        try await scene.greet(replica, as: "slave")
        try await eventually("the refusal") { !scene.log.lines.isEmpty }
        #expect(scene.log.lines[0].metadata["error.message"]?.contains("its role is slave") == true)
        #expect(!replica.isActive)
        await scene.advance(.milliseconds(100))
        try await scene.name("db2", by: scene.channel(2, to: "s2"))
        let master = try await scene.channel(3, to: "db2")
        try await scene.greet(master, as: "master")
        _ = try await master.read()
        try await master.say("+PONG\r\n")
        #expect(await pong == "PONG")
        await scene.end()
    }

    @Test("a name that no Sentinel knows is said so, with what each of them said")
    func unknownMaster() async throws {
        let scene = try Scene()
        async let pong = outcome(scene.connection)
        let first = try await scene.channel(0, to: "s1")
        _ = try await first.read()
        try await first.say("*-1\r\n")
        let second = try await scene.channel(1, to: "s2")
        _ = try await second.read()
        try await second.say("-ERR busy\r\n")
        try await eventually("the failure") { !scene.log.lines.isEmpty }
        let message = scene.log.lines[0].metadata["error.message"] ?? ""
        #expect(message.contains("the Sentinel at s1:26379 knows no master named `m`"))
        #expect(message.contains("the Sentinel at s2:26379 refuses to answer"))
        await scene.end()
        #expect(await pong.contains("closed"))
    }

    @Test("credentials that every Sentinel refuses are heard at once, not retried in silence")
    func refusedCredentials() async throws {
        let scene = try Scene(query: "&sentinel_username=eve&sentinel_password=pw")
        async let pong = outcome(scene.connection)
        for (index, host) in ["s1", "s2"].enumerated() {
            let sentinel = try await scene.channel(index, to: host)
            #expect(try await sentinel.read().hasPrefix(RedisCommand("AUTH", "eve", "pw").wireText))
            try await sentinel.say("-WRONGPASS invalid\r\n-NOAUTH Authentication required.\r\n")
        }
        let text = await pong
        #expect(text.contains("authentication") && text.contains("sentinel_password"))
        await scene.end()
    }
}
