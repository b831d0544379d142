private import CLibpq
import Mailbox

/// A request to stop the running statement, sent from a thread of its own.
///
/// `PQcancel` opens a connection and waits for the server to close it, without any limit: a server
/// that hangs would take the thread that owns the connection with it. libpq allows the call from any
/// thread; see the PostgreSQL 15 manual, 34.7.
@safe
final class CancelRequest: @unchecked Sendable {
    /// Requests that may wait for their servers at the same time; more are not made, and the
    /// statement is left to the server's own timeout.
    private static let maximumUnderWay = 16
    private static let underWay = Locked(0)

    // Invariant: used by the request's thread only, and freed when nobody can use it any more.
    private let cancel: OpaquePointer
    private let done = Locked(false)

    /// Sends the request; `notify` is called once the server has taken it, or cannot be reached.
    ///
    /// nil when too many are under way. Takes `cancel`, which is of `PQgetCancel`, over.
    static func send(
        _ cancel: OpaquePointer, notify: @escaping @Sendable () -> Void
    ) -> CancelRequest? {
        let request = unsafe CancelRequest(cancel)
        let isAdmitted = underWay.withLock { count in
            guard count < maximumUnderWay else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { return nil }
        _ = OwnerThread(name: "postgres-cancel") {
            request.run()
            underWay.withLock { $0 -= 1 }
            notify()
        }
        return request
    }

    private init(_ cancel: OpaquePointer) { unsafe self.cancel = cancel }

    deinit { unsafe PQfreeCancel(cancel) }

    /// Whether the request has been taken: only then is it certain not to hit a later statement.
    var isDone: Bool { done.withLock { $0 } }

    private func run() {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            _ = unsafe PQcancel(cancel, buffer.baseAddress, Int32(buffer.count))
        }
        done.withLock { $0 = true }
    }
}
