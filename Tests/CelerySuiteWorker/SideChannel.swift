import NIOCore
import NIOPosix

/// The Redis by which tasks tell the tests what they did, besides their results.
///
/// One connection for each command: nothing here needs to be fast.
struct SideChannel: Sendable {
    private static let patience = TimeAmount.seconds(10)

    let host: String
    let port: Int

    /// Appends to a list.
    func append(_ value: String, to key: String) async throws {
        try await send("RPUSH", key, value)
    }

    /// Counts.
    func increment(_ key: String) async throws { try await send("INCR", key) }

    private func send(_ words: String...) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let reply = group.any().makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: group)
            .connectTimeout(Self.patience)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ReplyLine(reply))
                }
            }
            .connect(host: host, port: port).get()
        var command = channel.allocator.buffer(capacity: 256)
        command.writeString("*\(words.count)\r\n")
        for word in words { command.writeString("$\(word.utf8.count)\r\n\(word)\r\n") }
        let timeout = channel.eventLoop.scheduleTask(in: Self.patience) {
            channel.close(promise: nil)
        }
        defer {
            timeout.cancel()
            channel.close(promise: nil)
        }
        try await channel.writeAndFlush(command)
        let line = try await reply.futureResult.get()
        guard line.hasPrefix(":") else { throw SideChannelError(reply: line) }
    }
}

/// What Redis answered instead of a number.
struct SideChannelError: Error {
    let reply: String
}

/// Waits for one line.
private final class ReplyLine: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let reply: EventLoopPromise<String>
    private var text = ""

    init(_ reply: EventLoopPromise<String>) { self.reply = reply }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        if text.hasSuffix("\r\n") { reply.succeed(text) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        reply.fail(ChannelError.eof)
        context.fireChannelInactive()
    }
}
