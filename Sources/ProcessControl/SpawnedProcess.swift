private import CLinux
import Glibc
import Mailbox

/// A process could not be started.
package struct SpawnError: Error, CustomStringConvertible {
    package let description: String

    init(_ path: String, _ number: Int32) {
        // Safe: strerror's text is copied before anything else can call it.
        let reason = unsafe String(cString: strerror(number))
        description = "\(path) cannot be started: \(reason)"
    }
}

/// A process that this one started, with a line on which it reports.
///
/// It inherits standard output and error, reads nothing, has a process group of its own (so that a
/// terminal's interrupt reaches its parent alone), starts with default signal actions, and finds its
/// end of the line at ``Lifeline/descriptor``. Source: posix_spawn(3), pidfd_open(2).
package final class SpawnedProcess: Sendable {
    package let pid: Int32
    private let isReaped: Locked<Bool>
    private let thread: OwnerThread

    /// Starts `image` with these signals blocked.
    ///
    /// `hear` is called for each line, then `ended` once, both on a thread of this process.
    package init(
        _ image: ProcessImage, blocking signals: [ProcessSignal],
        hear: @escaping @Sendable ([UInt8]) -> Void,
        ended: @escaping @Sendable (ExitStatus) -> Void
    ) throws(SpawnError) {
        var line: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        // Safe: two descriptors are written into an array of two.
        guard unsafe socketpair(AF_UNIX, kind, 0, &line) == 0 else {
            throw SpawnError(image.path, errno)
        }
        let (ours, theirs) = (line[0], line[1])
        defer { close(theirs) }
        let pid: Int32
        do { pid = try Self.spawn(image, blocking: signals, line: theirs) } catch {
            close(ours)
            throw error
        }
        self.pid = pid
        let isReaped = Locked(false)
        self.isReaped = isReaped
        thread = OwnerThread(name: "child-\(pid)") {
            let watch = ChildWatch(pid: pid, line: ours)
            watch.untilEnd(hear)
            // Under the lock, so that nobody signals a number that may already be another's.
            let status = isReaped.withLock { isReaped in
                isReaped = true
                return watch.reap()
            }
            ended(status)
        }
    }

    /// Sends a signal, unless the process has ended.
    package func signal(_ signal: ProcessSignal) {
        isReaped.withLock { isReaped in
            if !isReaped { _ = kill(pid, signal.rawValue) }
        }
    }

    private static func spawn(
        _ image: ProcessImage, blocking signals: [ProcessSignal], line: Int32
    ) throws(SpawnError) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        var mask = sigset_t.of(signals)
        var all = sigset_t()
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        let arguments = CStrings(image.arguments)
        let variables = CStrings(image.environment.map { "\($0)=\($1)" })
        var pid: Int32 = 0
        // Safe: all of these are local, initialised before use, and outlive the call.
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, line, Lifeline.descriptor)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setsigmask(&attributes, &mask)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        let failure = unsafe posix_spawn(
            &pid, image.path, &actions, &attributes, arguments.pointer, variables.pointer)
        guard failure == 0 else { throw SpawnError(image.path, failure) }
        return pid
    }
}

/// What a child's thread waits on: its line, and its end.
private struct ChildWatch {
    /// How often the end is looked for where the kernel cannot tell of it.
    private static let pollingMilliseconds: Int32 = 20

    let pid: Int32
    let line: Int32

    /// Hears until the process has ended, also what it said last.
    func untilEnd(_ hear: ([UInt8]) -> Void) {
        let end = linux_pidfd_open(pid)
        defer {
            if end >= 0 { close(end) }
            close(line)
        }
        var isOpen = true
        while true {
            var polled = [
                pollfd(fd: isOpen ? line : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: end, events: Int16(POLLIN), revents: 0),
            ]
            let timeout = end >= 0 ? -1 : Self.pollingMilliseconds
            // Safe: the array outlives the call, and its length is given.
            _ = unsafe poll(&polled, nfds_t(polled.count), timeout)
            let hasEnded = end >= 0 ? polled[1].revents != 0 : isZombie
            if isOpen { isOpen = drain(hear) }
            if hasEnded { return }
        }
    }

    /// Takes the process's last word; blocks until it has ended.
    func reap() -> ExitStatus {
        var status: Int32 = 0
        // Safe: the status is written before the call returns.
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return ExitStatus(waited: status)
    }

    private var isZombie: Bool {
        var info = unsafe siginfo_t()
        // Safe: `info` is written before the call returns; WNOWAIT leaves the process to `reap`.
        let failure = unsafe waitid(
            P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT)
        return unsafe failure == 0 && info.si_signo != 0
    }

    /// Hears what has been said; false once the line has ended.
    private func drain(_ hear: ([UInt8]) -> Void) -> Bool {
        var buffer = [UInt8](repeating: 0, count: Lifeline.maximumLineBytes)
        while true {
            // Safe: at most `count` bytes are written into the array that outlives the call.
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe recv(line, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
            }
            if count > 0 { hear(Array(buffer.prefix(count))) }
            if count == 0 { return false }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
        }
    }
}
