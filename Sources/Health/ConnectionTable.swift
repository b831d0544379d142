import Mailbox
import NIOCore

/// The open connections of one server, the oldest first, and never too many.
final class ConnectionTable: Sendable {
    private let limit: Int
    private let open = Locked<[any Channel]>([])

    init(limit: Int) { self.limit = limit }

    /// Takes a new connection, closing the oldest if there are too many.
    func admit(_ channel: any Channel) {
        let surplus = open.withLock { open -> (any Channel)? in
            open.append(channel)
            return open.count > limit ? open.removeFirst() : nil
        }
        surplus?.close(promise: nil)
        channel.closeFuture.whenComplete { [weak self] _ in self?.forget(channel) }
    }

    /// How many are open.
    var count: Int { open.withLock { $0.count } }

    private func forget(_ channel: any Channel) {
        open.withLock { open in
            open.removeAll { ObjectIdentifier($0) == ObjectIdentifier(channel) }
        }
    }
}
