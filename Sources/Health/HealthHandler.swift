import NIOCore
import NIOHTTP1

/// One connection to the health port: reads requests, writes pages, and closes what dawdles.
///
/// Everything happens on the server's one event loop.
final class HealthHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let pages: HealthPages
    private let reachability: Reachability
    private let limits: HealthLimits
    private var request: HTTPRequestHead?
    private var bodyBytes = 0
    private var deadline: Scheduled<Void>?

    init(pages: HealthPages, reachability: Reachability, limits: HealthLimits) {
        self.pages = pages
        self.reachability = reachability
        self.limits = limits
    }

    func channelActive(context: ChannelHandlerContext) {
        restartDeadline(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            request = head
            bodyBytes = 0
        case .body(let bytes):
            bodyBytes += bytes.readableBytes
            if bodyBytes > limits.bodyBytes { context.close(promise: nil) }
        case .end:
            guard let head = request else { return }
            request = nil
            // From here on it is the reply that must get out in time.
            restartDeadline(context)
            answer(head, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let accepts = head.headers[canonicalForm: "accept"].joined(separator: ",")
        switch pages.answer(head.method, head.uri, accepts: accepts) {
        case .now(let reply): send(reply, to: head, context)
        case .afterAsking:
            reachability.verdict(on: context.eventLoop).assumeIsolated().whenSuccess { verdict in
                guard context.channel.isActive else { return }
                self.send(self.pages.health(verdict), to: head, context)
            }
        }
    }

    private func send(
        _ reply: HealthPages.Reply, to head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        let buffer = context.channel.allocator.buffer(string: reply.body)
        var headers = HTTPHeaders([
            ("Content-Type", reply.contentType), ("Content-Length", "\(buffer.readableBytes)"),
            ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
        ])
        if reply.isAllowListed { headers.add(name: "Allow", value: "GET, HEAD") }
        let staysOpen = head.isKeepAlive
        if !staysOpen { headers.add(name: "Connection", value: "close") }
        let response = HTTPResponseHead(
            version: head.version, status: reply.status, headers: headers)
        context.write(Self.wrapOutboundOut(.head(response)), promise: nil)
        if head.method != .HEAD {
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            if staysOpen { self.restartDeadline(context) } else { context.close(promise: nil) }
        }
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: written)
    }

    /// One deadline for a whole request: a byte now and then does not extend it.
    private func restartDeadline(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: limits.idle) { channel.close(promise: nil) }
    }
}
