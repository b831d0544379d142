import Broker
import JobModel
import Logging
import Mailbox

/// Sends events, many to a message, as long as the worker runs.
///
/// While Redis is away it keeps what it has and tries again; what overflows the buffer meanwhile is
/// gone, and said once when it is over.
final class EventSender: Sendable {
    /// How long the first event waits for others to share its message.
    static let linger = Duration.milliseconds(10)
    /// Events of jobs in one message at most; Celery's own workers send up to 24.
    static let messageLimit = 128
    /// Events in one write at most.
    static let batchLimit = 1024
    /// Between two tries while Redis is away.
    static let backoff = Backoff.exponential(base: .milliseconds(100), cap: .seconds(1))

    private let buffer: EventBuffer
    private let channel: any EventChannel
    private let node: EventNode
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let away = Locked(false)

    init(
        buffer: EventBuffer, channel: any EventChannel, node: EventNode,
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.buffer = buffer
        self.channel = channel
        self.node = node
        self.clock = clock
        self.logger = logger
    }

    /// Whether Redis did not take what was last sent.
    var isAway: Bool { away.withLock { $0 } }

    /// Sends until the buffer is closed and empty.
    ///
    /// A last message that Redis does not take is given up.
    func run() async {
        var lost = 0
        repeat {
            await buffer.wait()
            if !buffer.isClosed { try? await clock.sleep(for: Self.linger) }
            while true {
                let records = buffer.take(upTo: Self.batchLimit)
                guard !records.isEmpty else { break }
                lost += await deliver(records)
            }
            report(lost + buffer.takeDropped())
            lost = 0
        } while !buffer.isClosed || buffer.count > 0
        await channel.close()
    }

    /// Sends until it is sent, or the worker is over; returns how many jobs' events were lost.
    private func deliver(_ records: [EventRecord]) async -> Int {
        var messages = EventMessage.telling(records, of: node, upTo: Self.messageLimit)
        var failures = 0
        while !messages.isEmpty {
            do throws(BrokerError) {
                try await channel.publish(messages)
                break
            } catch {
                away.withLock { $0 = true }
                // Stale heartbeats would look like clocks that disagree.
                messages.removeAll { $0.routingKey != EventMessage.listKey }
                guard !buffer.isClosed else { return messages.reduce(0) { $0 + $1.count } }
                var random = SystemRandomNumberGenerator()
                let wait = Self.backoff.delay(beforeRetry: failures, using: &random)
                failures += 1
                try? await clock.sleep(for: wait)
            }
        }
        away.withLock { $0 = false }
        return 0
    }

    private func report(_ lost: Int) {
        guard lost > 0 else { return }
        logger.warning("monitors were not told of all jobs", metadata: [LogKey.count: "\(lost)"])
    }
}
