private import Glibc
import NIOCore
import NIOPosix

/// Opens channels to one endpoint; tests put an embedded channel in its place.
struct ChannelConnector: Sendable {
    typealias Connect =
        @Sendable (
            _ loop: any EventLoop, _ handler: @escaping @Sendable () -> RedisChannelHandler
        ) -> EventLoopFuture<any Channel>

    /// Completes on the given loop with an open channel that holds the handler.
    let connect: Connect
    /// Told that the server behind the last channel is not the one that was wanted.
    let refused: @Sendable () -> Void

    init(refused: @escaping @Sendable () -> Void = {}, connect: @escaping Connect) {
        self.connect = connect
        self.refused = refused
    }

    /// Idle seconds until TCP asks whether the peer is alive, seconds between the questions, how
    /// many go unanswered, and milliseconds that what was sent may go unacknowledged: a peer that
    /// vanished is noticed after about ten seconds, also while nobody has anything to say.
    private static let liveness: [(option: CInt, value: Int)] = [
        (TCP_KEEPIDLE, 5), (TCP_KEEPINTVL, 2), (TCP_KEEPCNT, 3), (TCP_USER_TIMEOUT, 10_000),
    ]

    /// Finds the endpoint and connects to it, all within `timeout`.
    static func reaching(
        _ endpoint: RedisAddress.Endpoint, timeout: TimeAmount
    ) -> ChannelConnector {
        switch endpoint {
        case .tcp, .unix: network(endpoint, timeout: timeout)
        case .sentinel(let sentinels):
            SentinelConnector(sentinels, timeout: timeout, open: network).connector
        }
    }

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
            case .sentinel:
                preconditionFailure("a master is looked up before it is connected to")
            case .tcp(let host, let port):
                bootstrap = bootstrap.channelOption(.socketOption(.so_keepalive), value: 1)
                for (option, value) in liveness {
                    bootstrap = bootstrap.channelOption(
                        .tcpOption(NIOBSDSocket.Option(rawValue: option)), value: value)
                }
                return bootstrap.connect(host: host, port: port)
            }
        }
    }
}

extension Channel {
    /// Closes at once and throws away what was not yet delivered.
    ///
    /// Without this the kernel goes on delivering after the close, and a server that comes back
    /// would carry out commands whose callers were told long ago that they had failed.
    func discard() {
        // Unix sockets and pretended channels have nothing in a kernel to throw away.
        if let socket = self as? any SocketOptionProvider {
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        close(promise: nil)
    }
}
