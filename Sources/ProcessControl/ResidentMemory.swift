import CLinux
import Glibc

/// How much memory a process occupies.
package enum ResidentMemory {
    /// Bytes of RAM that the process has mapped, shared pages included; nil when it cannot be read.
    ///
    /// Source: proc(5), the second field of `/proc/<pid>/statm`, in pages.
    package static func bytes(of pid: Int32? = nil) -> Int? {
        let path = "/proc/\(pid.map { "\($0)" } ?? "self")/statm"
        guard let fields = contents(of: path)?.split(separator: " ") else { return nil }
        guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Takes the code that has run so far out of this process's memory; what runs again comes back,
    /// from the page cache, at the price of a page fault for every sixteen pages.
    ///
    /// Starting runs twice as much code as working does, most of it never again. Does nothing under a
    /// debugger, whose breakpoints are written into the code.
    package static func forgetCode() {
        if !isTraced { linux_forget_code() }
    }

    /// Source: proc(5), `TracerPid` of `/proc/self/status`; taken as true when it cannot be read.
    private static var isTraced: Bool {
        guard let status = contents(of: "/proc/self/status") else { return true }
        return !status.split(separator: "\n").contains("TracerPid:\t0")
    }

    /// The first bytes of a small file, such as those of proc(5).
    private static func contents(of path: String) -> String? {
        // Safe: the path is read before the call returns.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        // Safe: at most `count` bytes are written into the array that outlives the call.
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe read(descriptor, bytes.baseAddress, bytes.count)
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}
