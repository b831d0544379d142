private import CLinux
import Glibc

/// A thread of its own for a C handle that must be used from one thread only.
@safe
package final class OwnerThread: @unchecked Sendable {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    // Invariant: `thread` is written once in init and joined at most once, guarded by `isJoined`.
    private let thread: pthread_t
    private let isJoined = Locked(false)

    /// Starts a thread; `name` is cut to the 15 bytes that Linux keeps.
    package init(name: String, _ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        let failure = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                unsafe linux_name_this_thread(start.name)
                start.body()
                return nil
            },
            start.toOpaque())
        precondition(failure == 0, "pthread_create failed with \(failure)")
        self.thread = thread
    }

    /// Waits for the body to return; call it from outside the thread, any number of times.
    package func join() {
        let mustJoin = isJoined.withLock { isJoined in
            defer { isJoined = true }
            return !isJoined
        }
        if mustJoin { pthread_join(thread, nil) }
    }

    deinit {
        let mustDetach = isJoined.withLock { !$0 }
        if mustDetach { pthread_detach(thread) }
    }
}
