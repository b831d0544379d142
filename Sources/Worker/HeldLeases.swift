import Broker
import JobModel
import Mailbox
package import Telemetry

/// The deliveries this process holds, from reserve to settle: what its lease renewal covers.
package final class HeldLeases: Sendable {
    private let tags = Locked(Set<String>())

    private let metrics: WorkerMetrics?

    package init(metrics: WorkerMetrics? = nil) { self.metrics = metrics }

    /// Adds what was just reserved.
    func add(_ deliveries: [Delivery]) {
        let count = tags.withLock { tags in
            for delivery in deliveries { tags.insert(delivery.lease.tag) }
            return tags.count
        }
        metrics?.set(.deliveriesHeld, to: count)
    }

    /// Strikes out what was settled, or found lost.
    func remove(_ deliveries: some Sequence<Delivery>) {
        let count = tags.withLock { tags in
            for delivery in deliveries { tags.remove(delivery.lease.tag) }
            return tags.count
        }
        metrics?.set(.deliveriesHeld, to: count)
    }

    /// Everything held now.
    package var all: [String] { tags.withLock { Array($0) } }

    /// How many are held now.
    package var count: Int { tags.withLock { $0.count } }
}
