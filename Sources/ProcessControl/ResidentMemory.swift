import Glibc

/// How much memory a process occupies.
package enum ResidentMemory {
    /// Bytes of RAM that the process has mapped, shared pages included; nil when it cannot be read.
    ///
    /// Source: proc(5), the second field of `/proc/<pid>/statm`, in pages.
    package static func bytes(of pid: Int32? = nil) -> Int? {
        let path = "/proc/\(pid.map { "\($0)" } ?? "self")/statm"
        // Safe: the path is read before the call returns.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 256)
        // Safe: at most `count` bytes are written into the array that outlives the call.
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe read(descriptor, bytes.baseAddress, bytes.count)
        }
        guard count > 0 else { return nil }
        let fields = String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }
}
