package import Glibc

/// A value behind a pthread mutex: small state shared with synchronous code.
///
/// A pthread mutex, not `Synchronization.Mutex`, because the thread sanitizer sees it. Never held
/// across a suspension: `withLock` takes a synchronous closure.
@safe
package final class Locked<State>: @unchecked Sendable {
    // Invariant: `state` is touched only between lock and unlock of `mutex`. It is held by a pointer
    // because a stored property would be guarded a second time, by the checks for exclusive access.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline let state: UnsafeMutablePointer<State>

    package init(_ state: sending State) {
        unsafe self.state = .allocate(capacity: 1)
        unsafe self.state.initialize(to: state)
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        let failure = unsafe pthread_mutex_init(mutex, nil)
        precondition(failure == 0, "pthread_mutex_init failed with \(failure)")
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deinitialize(count: 1)
        unsafe mutex.deallocate()
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }

    /// Runs `body` alone with the state.
    ///
    /// Inlinable: called without knowing the types, it would copy state and result through memory.
    @inlinable
    package func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&state.pointee)
    }
}
