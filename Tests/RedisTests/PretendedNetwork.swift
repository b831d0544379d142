import NIOCore
import NIOEmbedded
import TestSupport

@testable import Redis

/// A connection whose network and time are the test's: it answers by hand and moves the clock.
final class PretendedNetwork: Sendable {
    struct Refused: Error {}

    /// Where nobody goes; a pretended channel takes any address.
    static var somewhere: SocketAddress {
        get throws { try SocketAddress(ipAddress: "127.0.0.1", port: 1) }
    }

    let loop = NIOAsyncTestingEventLoop()
    let log = RecordedLog()
    let connection: RedisConnection
    private let channels: Probe<NIOAsyncTestingChannel>

    /// `refusals` attempts to connect fail before one succeeds.
    init(options: RedisOptions = RedisOptions(), refusals: Int = 0) throws {
        let channels = Probe<NIOAsyncTestingChannel>()
        let somewhere = try Self.somewhere
        let attempts = Probe<Void>()
        let connector = ChannelConnector { loop, makeHandler in
            attempts.record(())
            guard attempts.count > refusals, let loop = loop as? NIOAsyncTestingEventLoop else {
                return loop.makeFailedFuture(Refused())
            }
            let channel = NIOAsyncTestingChannel(loop: loop)
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(makeHandler())
                channels.record(channel)
                return channel
            }.flatMap { (channel: any Channel) in
                // Without this it would never be active, and no test could see it closed.
                channel.connect(to: somewhere).map { channel }
            }
        }
        self.channels = channels
        connection = RedisConnection(
            core: ConnectionCore(
                loop: loop, connector: connector, address: try RedisAddress(url: "redis://"),
                options: options, random: SystemRandomNumberGenerator(), logger: log.logger))
    }

    var channelCount: Int { channels.count }

    /// The channel of connection `index`, which asks for its client id before all else.
    func channel(_ index: Int, clientID: Int = 7) async throws -> NIOAsyncTestingChannel {
        try await eventually("connection \(index)") { channels.count > index }
        let channel = channels.values[index]
        let asked = try await channel.read()
        guard asked == RedisCommand("CLIENT", "ID").wireText else {
            throw FixtureError("the connection began with \(asked)")
        }
        try await channel.say(":\(clientID)\r\n")
        return channel
    }

    /// Lets `time` pass.
    func advance(_ time: Duration) async { await loop.advanceTime(by: TimeAmount(bounded: time)) }

    func end() async {
        await connection.close()
        await loop.shutdownGracefully()
    }
}

extension NIOAsyncTestingChannel {
    /// One write of the connection.
    func read() async throws -> String {
        String(buffer: try await waitForOutboundWrite(as: ByteBuffer.self))
    }

    /// Bytes from the pretended server.
    func say(_ text: String) async throws { try await writeInbound(ByteBuffer(string: text)) }
}

extension RedisCommand {
    var wireText: String { String(decoding: wireBytes, as: UTF8.self) }
}
