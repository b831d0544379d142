import Glibc
import Mailbox
import NIOCore
import NIOPosix

/// One connection through a proxy, with an end on either side.
///
/// Everything happens on one event loop; the lock is for those who only look.
final class ProxyLine: Sendable {
    /// How a side ended.
    enum End: Sendable {
        case closed
        case reset
    }

    /// What is on its way in one direction.
    private struct Way {
        var queue: [(due: NIODeadline, bytes: ByteBuffer)] = []
        var end: End?
        var byteCount = 0
    }

    private struct State {
        var server: (any Channel)?
        var ways: [TCPProxy.Direction: Way] = [.toServer: Way(), .toClient: Way()]
        var isConnecting = false
        /// Bytes were lost on it: nothing goes through it any more.
        var isDead = false
        var isHolding = false
    }

    private let client: any Channel
    private let target: Int
    private let shared: TCPProxy.Shared
    private let state = Locked(State())

    init(client: any Channel, target: Int, shared: TCPProxy.Shared) {
        self.client = client
        self.target = target
        self.shared = shared
    }

    var traffic: TCPProxy.Traffic {
        state.withLock { state in
            TCPProxy.Traffic(
                bytesToServer: state.ways[.toServer, default: Way()].byteCount,
                bytesToClient: state.ways[.toClient, default: Way()].byteCount,
                isClientGone: state.ways[.toServer]?.end != nil)
        }
    }

    func begin() { modeChanged(to: shared.mode) }

    func modeChanged(to mode: TCPProxy.Mode) {
        switch mode {
        case .refuse: return endBoth(.reset)
        case .blackHole(.held): return state.withLock { $0.isHolding = true }
        case .blackHole(.dropped):
            return state.withLock { state in
                // A connection that is only now asked for never comes about.
                if state.server == nil { state.isDead = true }
                for way in TCPProxy.Direction.allCases where state.ways[way]?.queue.isEmpty == false
                {
                    state.isDead = true
                }
            }
        case .pass, .delay, .cut: state.withLock { $0.isHolding = false }
        }
        connect()
        for direction in TCPProxy.Direction.allCases { pump(direction) }
    }

    /// Takes bytes that came from one side.
    func carry(_ bytes: ByteBuffer, _ direction: TCPProxy.Direction) {
        var due = NIODeadline.now()
        switch shared.mode {
        case .blackHole(.dropped), .refuse: return state.withLock { $0.isDead = true }
        case .delay(let wait): due = due + TimeAmount.nanoseconds(wait.inNanoseconds)
        case .pass, .cut, .blackHole(.held): break
        }
        let (count, isCut) = shared.pass(bytes.readableBytes, direction)
        state.withLock { state in
            guard !state.isDead else { return }
            var way = state.ways[direction, default: Way()]
            let last = way.queue.last?.due ?? due
            way.queue.append(
                (max(due, last), bytes.getSlice(at: bytes.readerIndex, length: count) ?? bytes))
            way.byteCount += count
            state.ways[direction] = way
        }
        pump(direction)
        if isCut { endBoth(.closed) }
    }

    /// Hears that the side which sends in `direction` has ended.
    func ended(_ direction: TCPProxy.Direction, _ end: End) {
        let isLost = if case .blackHole(.dropped) = shared.mode { true } else { false }
        state.withLock { state in
            if isLost { state.isDead = true }
            state.ways[direction]?.end = end
            // What a sender has disowned is not repeated any more.
            if end == .reset { state.ways[direction]?.queue = [] }
        }
        pump(direction)
    }

    private func connect() {
        let mustConnect = state.withLock { state in
            let isWanted = state.server == nil && !state.isConnecting && !state.isDead
            if isWanted { state.isConnecting = true }
            return isWanted
        }
        guard mustConnect else { return }
        ClientBootstrap(group: client.eventLoop)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(
                        ProxyEnd(line: self, direction: .toClient))
                }
            }
            .connect(host: "127.0.0.1", port: target)
            .whenComplete { result in
                switch result {
                case .success(let server):
                    self.state.withLock { $0.server = server }
                    self.pump(.toServer)
                case .failure: self.endBoth(.reset)
                }
            }
    }

    /// Forwards what is due, and the end of the connection behind it.
    private func pump(_ direction: TCPProxy.Direction) {
        let now = NIODeadline.now()
        let client = client
        let (ready, next, end, destination) = state.withLock { state in
            let destination = direction == .toServer ? state.server : client
            guard !state.isDead, !state.isHolding, destination != nil,
                var way = state.ways[direction]
            else { return ([ByteBuffer](), NIODeadline?.none, End?.none, (any Channel)?.none) }
            let ready = way.queue.prefix { $0.due <= now }.map(\.bytes)
            way.queue.removeFirst(ready.count)
            state.ways[direction] = way
            return (ready, way.queue.first?.due, way.queue.isEmpty ? way.end : nil, destination)
        }
        guard let destination else { return }
        for bytes in ready { destination.write(bytes, promise: nil) }
        destination.flush()
        if let end { Self.close(destination, end) }
        if let next {
            client.eventLoop.scheduleTask(deadline: next) { self.pump(direction) }
        }
    }

    private func endBoth(_ end: End) {
        let server = state.withLock { state in
            state.isDead = true
            return state.server
        }
        if let server { Self.close(server, end) }
        Self.close(client, end)
    }

    private static func close(_ channel: any Channel, _ end: End) {
        if end == .reset, let socket = channel as? any SocketOptionProvider {
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        channel.close(promise: nil)
    }
}

/// Where a proxy hears one side of a connection.
final class ProxyEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let line: ProxyLine
    private let direction: TCPProxy.Direction
    private var end = ProxyLine.End.closed

    init(line: ProxyLine, direction: TCPProxy.Direction) {
        self.line = line
        self.direction = direction
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        line.carry(unwrapInboundIn(data), direction)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end = .reset
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { line.ended(direction, end) }
}

extension Duration {
    /// Whole nanoseconds, of spans that tests use.
    fileprivate var inNanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
