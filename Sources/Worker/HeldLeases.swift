import Broker
import JobModel
import Mailbox

/// The deliveries this process holds, from reserve to settle: what its lease renewal covers.
package final class HeldLeases: Sendable {
    private let tags = Locked(Set<String>())

    package init() {}

    /// Adds what was just reserved.
    func add(_ deliveries: [Delivery]) {
        tags.withLock { tags in
            for delivery in deliveries { tags.insert(delivery.lease.tag) }
        }
    }

    /// Strikes out what was settled, or found lost.
    func remove(_ deliveries: some Sequence<Delivery>) {
        tags.withLock { tags in
            for delivery in deliveries { tags.remove(delivery.lease.tag) }
        }
    }

    /// Everything held now.
    package var all: [String] { tags.withLock { Array($0) } }

    /// How many are held now.
    package var count: Int { tags.withLock { $0.count } }
}
