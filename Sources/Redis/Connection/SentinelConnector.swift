import Mailbox
import NIOCore

/// Connects to a master that Sentinels know by name, which is looked up anew each time.
///
/// Sentinels are asked in turn. The one that answered goes first next time; one that did not, or
/// that named a server which is no master, goes last.
final class SentinelConnector: Sendable {
    typealias Open = @Sendable (RedisAddress.Endpoint, TimeAmount) -> ChannelConnector

    /// For connecting to one Sentinel and its answer, so that a few dead ones leave time for the
    /// living and for the master within one attempt to connect.
    static let answerTimeout = TimeAmount.seconds(1)

    private let sentinels: RedisSentinels
    private let timeout: TimeAmount
    private let open: Open
    /// Whom to ask first.
    private let order: Locked<[RedisSentinels.Host]>

    init(_ sentinels: RedisSentinels, timeout: TimeAmount, open: @escaping Open) {
        self.sentinels = sentinels
        self.timeout = timeout
        self.open = open
        order = Locked(sentinels.hosts)
    }

    var connector: ChannelConnector {
        ChannelConnector(refused: distrustFirst) { loop, makeHandler in
            self.connect(loop, makeHandler)
        }
    }

    private func connect(
        _ loop: any EventLoop, _ makeHandler: @escaping @Sendable () -> RedisChannelHandler
    ) -> EventLoopFuture<any Channel> {
        let deadline = loop.now + timeout
        let turn = order.withLock { $0 }
        return lookUp(turn[...], failures: [], on: loop, until: deadline).flatMap { master in
            let endpoint = RedisAddress.Endpoint.tcp(host: master.host, port: master.port)
            let left = max(deadline - loop.now, .milliseconds(1))
            return self.open(endpoint, left).connect(loop, makeHandler).flatMapErrorThrowing {
                self.distrustFirst()
                throw RedisError(.connect, "cannot connect to the master at \(master): \($0)")
            }
        }
    }

    /// The master's address, from the first of `turn` that knows it.
    private func lookUp(
        _ turn: ArraySlice<RedisSentinels.Host>, failures: [RedisError], on loop: any EventLoop,
        until deadline: NIODeadline
    ) -> EventLoopFuture<RedisSentinels.Host> {
        guard let host = turn.first, loop.now < deadline else {
            return loop.makeFailedFuture(Self.summary(of: failures))
        }
        let limit = min(Self.answerTimeout, deadline - loop.now)
        return SentinelInquiry.ask(host, of: sentinels, within: limit, on: loop, open: open)
            .always { self.note(host, hasAnswered: (try? $0.get()) != nil) }
            .flatMapError { error in
                let failure = error as? RedisError ?? RedisError(.connect, "\(host): \(error)")
                return self.lookUp(
                    turn.dropFirst(), failures: failures + [failure], on: loop, until: deadline)
            }
    }

    private static func summary(of failures: [RedisError]) -> RedisError {
        let areAllRefusals = failures.allSatisfy { $0.code == .authentication }
        let reasons = failures.map(\.message).joined(separator: "; ")
        return RedisError(
            areAllRefusals && !failures.isEmpty ? .authentication : .connect,
            "no Sentinel says where the master is: \(reasons)",
            serverCode: failures.first?.serverCode)
    }

    private func note(_ host: RedisSentinels.Host, hasAnswered: Bool) {
        order.withLock { order in
            order.removeAll { $0 == host }
            order.insert(host, at: hasAnswered ? 0 : order.count)
        }
    }

    /// Asks another one first: this one named a server that is no master.
    private func distrustFirst() {
        order.withLock { $0.append($0.removeFirst()) }
    }
}
