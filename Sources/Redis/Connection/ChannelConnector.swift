private import Glibc
import NIOCore
import NIOPosix

/// Opens channels to one endpoint; tests put an embedded channel in its place.
struct ChannelConnector: Sendable {
    /// Completes on the given loop with an open channel that holds the handler.
    let connect:
        @Sendable (
            _ loop: any EventLoop, _ handler: @escaping @Sendable () -> RedisChannelHandler
        ) -> EventLoopFuture<any Channel>

    /// Idle seconds until TCP asks whether the peer is alive, seconds between the questions, and
    /// how many go unanswered: a dead peer is noticed after about a minute.
    private static let keepalive: [(option: CInt, value: Int)] = [
        (TCP_KEEPIDLE, 30), (TCP_KEEPINTVL, 10), (TCP_KEEPCNT, 3),
    ]

    /// Connects over the network; names are resolved and all their addresses tried by NIO, which
    /// also switches Nagle's algorithm off.
    static func network(_ endpoint: RedisAddress.Endpoint, timeout: TimeAmount) -> ChannelConnector
    {
        ChannelConnector { loop, makeHandler in
            var bootstrap = ClientBootstrap(group: loop)
                .connectTimeout(timeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(makeHandler())
                    }
                }
            switch endpoint {
            case .unix(let path):
                return bootstrap.connect(unixDomainSocketPath: path)
            case .tcp(let host, let port):
                bootstrap = bootstrap.channelOption(.socketOption(.so_keepalive), value: 1)
                for (option, value) in keepalive {
                    bootstrap = bootstrap.channelOption(
                        .tcpOption(NIOBSDSocket.Option(rawValue: option)), value: value)
                }
                return bootstrap.connect(host: host, port: port)
            }
        }
    }
}
