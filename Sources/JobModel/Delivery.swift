package import Foundation

/// The right to settle one reserved message, held until the worker's lease runs out.
///
/// The tag is the message's key in kombu's `unacked` hash. It is made for one reservation and never
/// used again, so it also fences: a settle whose tag is gone has lost its lease.
package struct Lease: Hashable, Sendable {
    /// `<worker>-<sequence>-<index>`.
    package let tag: String
    /// Orders this reservation among all others.
    package let fence: Fence

    package init(tag: String, fence: Fence = .none) {
        self.tag = tag
        self.fence = fence
    }
}

/// A message handed to a worker, with the lease on it.
package struct Delivery: Sendable {
    /// The bytes found on the list, whatever they are.
    package let raw: [UInt8]
    /// The right to settle it.
    package let lease: Lease
    /// The queue it came from.
    package let queue: QueueName
    /// Which of the queue's four lists, 0 the most urgent.
    package let step: Int
    /// When this process received it.
    package let reservedAt: Date

    package init(raw: [UInt8], lease: Lease, queue: QueueName, step: Int, reservedAt: Date) {
        self.raw = raw
        self.lease = lease
        self.queue = queue
        self.step = step
        self.reservedAt = reservedAt
    }
}
