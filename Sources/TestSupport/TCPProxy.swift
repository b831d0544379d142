import Mailbox
import NIOCore
import NIOPosix

/// A network in between that a test can break: it forwards from a port of 127.0.0.1 to another.
///
/// What it does with a byte is decided when the byte arrives, by the mode of that moment. It ends
/// with this object.
package final class TCPProxy: Sendable {
    /// What becomes of bytes that a black hole has swallowed.
    package enum Loss: Sendable {
        /// They are gone, and with them every connection that lost any: a stream with a gap in it
        /// goes on for ever without another byte.
        case dropped
        /// They arrive when the hole ends, as what TCP repeats; not if the sender has reset the
        /// connection meanwhile.
        case held
    }

    package enum Direction: Sendable, Hashable, CaseIterable {
        case toServer
        case toClient
    }

    package enum Mode: Sendable {
        case pass
        /// Nothing is forwarded, not even the end of a connection; new ones are accepted.
        case blackHole(Loss)
        /// Connections are reset, those that are there and those that come.
        case refuse
        /// Each byte arrives so much later, in order.
        case delay(Duration)
        /// When so many more bytes have gone in that direction, the connection they went by is
        /// closed on both sides; then everything passes again. After zero bytes it is closed when
        /// the next one comes.
        case cut(afterBytes: Int, Direction)
    }

    /// One connection and what has gone through it.
    package struct Traffic: Sendable {
        package let bytesToServer: Int
        package let bytesToClient: Int
        /// Whether the proxy has heard the client's side end; in a hole the server has not.
        package let isClientGone: Bool
    }

    private struct State {
        var mode = Mode.pass
        var lines: [ProxyLine] = []
        var cuts = 0
    }

    package let port: Int
    private let target: Int
    private let listener: any Channel
    private let loop: any EventLoop
    private let state: Shared

    /// Shared with the channels, which must not keep the proxy itself.
    final class Shared: Sendable {
        private let state = Locked(State())

        /// Decides about `count` bytes that have come; returns how many go on, and whether the
        /// connection is to be cut behind them.
        func pass(_ count: Int, _ direction: Direction) -> (count: Int, isCut: Bool) {
            state.withLock { state in
                guard case .cut(let left, direction) = state.mode else { return (count, false) }
                guard count >= left else {
                    state.mode = .cut(afterBytes: left - count, direction)
                    return (count, false)
                }
                state.mode = .pass
                state.cuts += 1
                return (left, true)
            }
        }

        var mode: Mode { state.withLock { $0.mode } }

        var lines: [ProxyLine] { state.withLock { $0.lines } }

        var cuts: Int { state.withLock { $0.cuts } }

        func add(_ line: ProxyLine) { state.withLock { $0.lines.append(line) } }

        func change(to mode: Mode) -> [ProxyLine] {
            state.withLock { state in
                state.mode = mode
                return state.lines
            }
        }
    }

    /// Starts forwarding to `target`, a port of 127.0.0.1.
    package static func start(to target: Int) async throws -> TCPProxy {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let shared = Shared()
        let listener = try await ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { client in
                client.eventLoop.makeCompletedFuture {
                    let line = ProxyLine(client: client, target: target, shared: shared)
                    try client.pipeline.syncOperations.addHandler(
                        ProxyEnd(line: line, direction: .toServer))
                    shared.add(line)
                    line.begin()
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = listener.localAddress?.port else {
            throw FixtureError("the proxy found no port")
        }
        return TCPProxy(
            port: port, target: target, listener: listener, loop: loop, state: shared)
    }

    private init(
        port: Int, target: Int, listener: any Channel, loop: any EventLoop, state: Shared
    ) {
        self.port = port
        self.target = target
        self.listener = listener
        self.loop = loop
        self.state = state
    }

    deinit {
        listener.close(promise: nil)
        loop.execute { [state] in
            for line in state.change(to: .refuse) { line.modeChanged(to: .refuse) }
        }
    }

    /// The URL of a Redis behind it.
    package var redisURL: String { "redis://127.0.0.1:\(port)/0" }

    /// Changes what happens from now on; what a hole held goes on its way.
    package func set(_ mode: Mode) async throws {
        try await loop.submit { [state] in
            for line in state.change(to: mode) { line.modeChanged(to: mode) }
        }.get()
    }

    /// Every connection so far, oldest first.
    package var traffic: [Traffic] { state.lines.map(\.traffic) }

    /// How many connections were cut.
    package var cuts: Int { state.cuts }
}
