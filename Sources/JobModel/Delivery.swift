package import Foundation

/// The right to settle one reserved message, held until the worker's lease runs out.
///
/// The tag is the message's key in kombu's `unacked` hash. It is made for one reservation and never
/// used again, so it also fences: a settle whose tag is gone has lost its lease.
package struct Lease: Sendable {
    /// What it shares with all of one reservation; the whole tag when `number` is nil.
    package let prefix: String
    /// Which of the reservation it is.
    package let number: Int?
    /// Orders this reservation among all others.
    package let fence: Fence

    package init(tag: String, fence: Fence = .none) {
        prefix = tag
        number = nil
        self.fence = fence
    }

    /// The lease on message `number` of the reservation whose tags begin with `prefix`.
    ///
    /// The tag is put together only when somebody wants to read it: most are written to Redis and
    /// forgotten.
    package init(_ number: Int, of prefix: String, fence: Fence) {
        self.prefix = prefix
        self.number = number
        self.fence = fence
    }

    /// `<worker>-<sequence>-<number>`.
    package var tag: String { number.map { "\(prefix)\($0)" } ?? prefix }
}

extension Lease: Hashable {
    package static func == (left: Lease, right: Lease) -> Bool { left.tag == right.tag }

    package func hash(into hasher: inout Hasher) { hasher.combine(tag) }
}

/// A message handed to a worker, with the lease on it.
///
/// A class, because it is passed through many hands and never changed.
package final class Delivery: Sendable {
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
