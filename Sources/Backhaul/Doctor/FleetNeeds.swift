import Broker
import JobModel

/// What processes with these settings take from the servers they connect to.
struct FleetNeeds: Sendable, Equatable {
    /// Lists of a queue: one for each priority step.
    private static let lists = Priority.steps.count
    /// Descriptors of a process beside its sockets: standard streams, event loops, wake-ups, files.
    private static let ownFiles = 64

    let queues: Int
    let concurrency: Int
    let poolSize: Int

    init(_ settings: Settings) {
        queues = settings.worker.queues.count
        concurrency = settings.worker.concurrency
        poolSize = settings.database.poolSize
    }

    /// Connections to Redis of one worker: one to work with, and one to wait on each list.
    var redisConnections: Int { 1 + queues * Self.lists }

    /// Files that one worker may have open: its connections, and two for each job that calls out.
    var openFiles: Int { redisConnections + poolSize + 2 * concurrency + Self.ownFiles }
}
