package import Logging
import Mailbox
import NIOCore
import NIOPosix

/// Hears what is published on the channels that patterns name, on a connection of its own.
///
/// It subscribes at once, and again after every outage, for as long as it lives. Pub/sub keeps
/// nothing: what was published while there was no connection is lost, and ``sessions`` tells that
/// there was a gap. Safe to share; one task takes messages.
package final class RedisSubscription: Sendable {
    /// What may wait to be taken.
    package struct Limits: Sendable {
        /// Messages that wait; beyond, the oldest are dropped.
        package var messages = 4096
        /// Bytes of messages that wait; beyond, the oldest are dropped.
        package var bytes = 32 * 1024 * 1024
        /// Bytes of one message; a longer one closes the connection, which is then made anew.
        package var messageBytes = 16 * 1024 * 1024
        /// How often the server is asked whether it is there; twice as long without a word, and the
        /// connection is made anew.
        package var ping = Duration.seconds(5)

        package init() {}
    }

    private let core: SubscriptionCore
    private let buffer: MessageBuffer

    /// Subscribes to `patterns`, in Redis' own form (`PSUBSCRIBE`); of `options` the connect timeout,
    /// the reconnection and the name count.
    package convenience init(
        address: RedisAddress, patterns: [String], options: RedisOptions = RedisOptions(),
        limits: Limits = Limits(), logger: Logger,
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        let connector = ChannelConnector.reaching(
            address.endpoint, timeout: TimeAmount(bounded: options.connectTimeout))
        self.init(
            connector: connector, loop: MultiThreadedEventLoopGroup.singleton.any(),
            address: address, patterns: patterns, options: options, limits: limits,
            random: random, logger: logger)
    }

    init(
        connector: ChannelConnector, loop: any EventLoop, address: RedisAddress,
        patterns: [String], options: RedisOptions, limits: Limits,
        random: any RandomNumberGenerator & Sendable, logger: Logger
    ) {
        precondition(!patterns.isEmpty, "a subscription needs a pattern")
        buffer = MessageBuffer(maximumMessages: limits.messages, maximumBytes: limits.bytes)
        core = SubscriptionCore(
            loop: loop, connector: connector, address: address, patterns: patterns,
            options: options, limits: limits, buffer: buffer, random: random, logger: logger)
        core.start()
    }

    deinit {
        buffer.close()
        core.loop.execute { [core] in _ = core.shutdown() }
    }

    /// The next message, waiting for one; nil once closed, or when the task is cancelled.
    package func next() async -> RedisMessage? { await buffer.next() }

    /// Whether messages published now are heard.
    package var isSubscribed: Bool { core.session.withLock { $0.isOpen } }

    /// How often it has subscribed: each time after the first there was a gap.
    package var sessions: Int { core.session.withLock { $0.count } }

    /// Messages dropped because nobody took them.
    package var dropped: Int { buffer.dropped }

    /// Ends it for good and returns when the socket is closed; what waits can still be taken.
    package func close() async {
        buffer.close()
        // The future cannot fail; a second call finds nothing left to do.
        try? await core.loop.flatSubmit { [core] in core.shutdown() }.get()
    }
}
