private import CLinux
import Glibc

/// A program to run: its file, its arguments, its environment.
package struct ProcessImage: Sendable {
    package var path: String
    /// With the program's own name first.
    package var arguments: [String]
    package var environment: [String: String]

    package init(path: String, arguments: [String], environment: [String: String]) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
    }

    /// This program as it was started.
    ///
    /// The path is the one it was started from: when another version has been put there since, that
    /// one is what runs next.
    package static func current(environment: [String: String]) -> ProcessImage {
        ProcessImage(
            path: ownPath, arguments: CommandLine.arguments, environment: environment)
    }

    /// Makes this process run the image from its beginning, with these signals blocked; it keeps
    /// its number, standard streams and signals that wait.
    ///
    /// Returns only when that failed, with the errno. Source: execve(2).
    package func replaceThisProcess(blocking signals: [ProcessSignal]) -> Int32 {
        if linux_close_on_exec_from(3) != 0 { closeOnExecOneByOne() }
        var set = sigset_t.of(signals)
        let arguments = CStrings(arguments)
        let variables = CStrings(environment.map { "\($0)=\($1)" })
        // Safe: the set and both arrays outlive the call, which does not return when it succeeds.
        unsafe pthread_sigmask(SIG_SETMASK, &set, nil)
        unsafe execve(path, arguments.pointer, variables.pointer)
        return errno
    }

    /// Ends this process at once: nothing is flushed, nobody is asked.
    package static func endThisProcess(code: Int32) -> Never { _exit(code) }

    /// The process that started this one, or the one that adopted it.
    package static var parentID: Int32 { getppid() }

    private func closeOnExecOneByOne() {
        for descriptor in 3..<Int32(sysconf(Int32(_SC_OPEN_MAX)).clamped(to: 3...65_536)) {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }

    /// Read once: the link changes when the file is replaced.
    private static let ownPath: String = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        // Safe: at most `count` bytes are written into the array that outlives the call.
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return CommandLine.arguments.first ?? "" }
        let bytes = buffer.prefix(count).map(UInt8.init(bitPattern:))
        let path = String(decoding: bytes, as: UTF8.self)
        let mark = " (deleted)"
        return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
    }()

    /// Reads ``current(environment:)``'s path while the link is still true.
    package static func rememberOwnPath() { _ = ownPath }
}

extension Int {
    fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}

/// A null-terminated array of C strings, freed with its owner.
@safe
final class CStrings {
    // Invariant: `count` strings made by strdup, then a null; freed once, in deinit.
    let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        unsafe pointer = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() {
            unsafe (pointer + index).initialize(to: strdup(string))
        }
        unsafe (pointer + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { unsafe free(pointer[index]) }
        unsafe pointer.deinitialize(count: count + 1)
        unsafe pointer.deallocate()
    }
}
