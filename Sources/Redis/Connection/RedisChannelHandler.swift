import NIOCore

/// Who hears what a channel says; called on the channel's event loop.
protocol RedisChannelListener: AnyObject {
    func received(_ reply: RedisValue, on channel: ConnectionNumber)
    func ended(_ error: RedisError, on channel: ConnectionNumber)
}

/// Counts the connections of one `RedisConnection`, so that a channel that was given up can no
/// longer speak.
typealias ConnectionNumber = UInt64

/// Turns bytes from a channel into replies.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let listener: any RedisChannelListener
    private let number: ConnectionNumber
    private var parser: ReplyParser
    private var failure: RedisError?

    init(listener: any RedisChannelListener, number: ConnectionNumber, maximumReplyBytes: Int) {
        self.listener = listener
        self.number = number
        parser = ReplyParser(maximumReplyBytes: maximumReplyBytes)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard failure == nil else { return }
        var buffer = unwrapInboundIn(data)
        do throws(RedisError) {
            while buffer.readableBytes > 0 {
                let count = min(buffer.readableBytes, ReplyParser.largestPortion)
                try parser.feed(buffer.readableBytesSpan.extracting(first: count))
                buffer.moveReaderIndex(forwardBy: count)
                while let reply = try parser.next() { listener.received(reply, on: number) }
            }
        } catch {
            end(error, context: context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(RedisError(.connectionLost, "the connection failed: \(error)"), context: context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(
            RedisError(.connectionLost, "the server closed the connection"), context: context)
        context.fireChannelInactive()
    }

    private func end(_ error: RedisError, context: ChannelHandlerContext) {
        guard failure == nil else { return }
        failure = error
        listener.ended(error, on: number)
        context.close(promise: nil)
    }
}
