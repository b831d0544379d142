import JobModel
package import Logging
import Mailbox
import NIOCore
import NIOHTTP1
import NIOPosix

/// Answers probes and scrapes on a port of its own, from a thread of its own.
///
/// Job code that blocks every thread of the cooperative pool does not delay an answer. A port that
/// is taken is no reason to stop: the process goes on without probes, says so once, and tries again,
/// because in a rolling restart the port is free soon.
package final class HealthServer: Sendable {
    private let address: HealthAddress
    private let pages: HealthPages
    private let dependencies: [Dependency]
    private let limits: HealthLimits
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let bound = Locked<Int?>(nil)

    /// Makes a server that opens its port when it runs.
    package convenience init(
        address: HealthAddress, pages: HealthPages, dependencies: [Dependency], logger: Logger
    ) {
        self.init(
            address: address, pages: pages, dependencies: dependencies, limits: HealthLimits(),
            logger: logger)
    }

    init(
        address: HealthAddress, pages: HealthPages, dependencies: [Dependency],
        limits: HealthLimits, clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.address = address
        self.pages = pages
        self.dependencies = dependencies
        self.limits = limits
        self.clock = clock
        self.logger = logger
    }

    /// The port that is open now; nil while there is none.
    package var port: Int? { bound.withLock { $0 } }

    /// Serves until cancelled, then closes every connection.
    package func run() async {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let reachability = Reachability(dependencies, clock: clock)
        await withTaskGroup(of: Void.self) { tasks in
            for index in reachability.indices {
                tasks.addTask { await reachability.serve(index) }
            }
            await listen(on: group, reachability)
            tasks.cancelAll()
        }
        // It fails only when it was shut down before.
        try? await group.shutdownGracefully()
    }

    private func listen(on group: MultiThreadedEventLoopGroup, _ reachability: Reachability) async {
        let bootstrap = bootstrap(group, reachability)
        var isFirstFailure = true
        while !Task.isCancelled {
            do {
                let channel = try await bootstrap.bind(host: address.host, port: address.port).get()
                announce(channel)
                isFirstFailure = true
                await withTaskCancellationHandler {
                    try? await channel.closeFuture.get()
                } onCancel: {
                    channel.close(promise: nil)
                }
                bound.withLock { $0 = nil }
            } catch {
                if isFirstFailure {
                    logger.warning(
                        "the health port cannot be opened; going on without it, and trying again",
                        metadata: [
                            LogKey.healthAddress: "\(address)", LogKey.errorMessage: "\(error)",
                        ])
                }
                isFirstFailure = false
                try? await clock.sleep(for: limits.bindRetry)
            }
        }
    }

    private func bootstrap(
        _ group: MultiThreadedEventLoopGroup, _ reachability: Reachability
    ) -> ServerBootstrap {
        let connections = ConnectionTable(limit: limits.connections)
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: limits.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [pages, limits] channel in
                connections.admit(channel)
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withEncoderConfiguration: .init(),
                        withDecoderLimitConfiguration: limits.decoder)
                    try channel.pipeline.syncOperations.addHandler(
                        HealthHandler(pages: pages, reachability: reachability, limits: limits))
                }
            }
    }

    private func announce(_ channel: any Channel) {
        bound.withLock { $0 = channel.localAddress?.port }
        logger.notice("health is served", metadata: [LogKey.healthAddress: "\(address)"])
        if !address.isLoopback {
            logger.warning(
                "health is served to the network, and asks for no password",
                metadata: [LogKey.healthAddress: "\(address)"])
        }
    }
}
