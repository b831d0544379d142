import Glibc

/// The socket on which a service manager hears how a service is.
///
/// What cannot be sent is dropped: a service does not depend on being heard. Source: sd_notify(3),
/// sd_watchdog_enabled(3).
package final class NotifySocket: Sendable {
    /// How often the manager wants to hear `WATCHDOG=1`, at the latest; nil when it does not.
    package let watchdog: Duration?
    private let descriptor: Int32
    private let path: [UInt8]

    /// The socket that the environment names; nil when there is none, or none that can be used.
    package init?(environment: [String: String], processID: Int32 = getpid()) {
        guard let name = environment["NOTIFY_SOCKET"] else { return nil }
        var path = Array(name.utf8)
        switch name.first {
        case "@": path[0] = 0  // abstract: its name begins with a zero byte
        case "/": break
        default: return nil
        }
        guard path.count > 1, path.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        else { return nil }
        self.path = path
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = socket(AF_UNIX, kind, 0)
        watchdog = Self.watchdog(environment, processID)
        guard descriptor >= 0 else { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Sends these fields, such as `READY=1`, as one message; false when it was not taken.
    @discardableResult
    package func send(_ fields: [String]) -> Bool {
        let message = Array(fields.joined(separator: "\n").utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A path ends with a zero byte, an abstract name with its length.
        let isAbstract = path[0] == 0
        let length = socklen_t(
            MemoryLayout<sa_family_t>.size + path.count + (isAbstract ? 0 : 1))
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        // Safe: the path is shorter than its field; everything outlives the call.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            unsafe field.copyBytes(from: path)
        }
        let sent = unsafe message.withUnsafeBytes { bytes in
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    unsafe sendto(
                        descriptor, bytes.baseAddress, bytes.count, flags, pointer, length)
                }
            }
        }
        return sent == message.count
    }

    /// The fields that say that a reload begins; `READY=1` says that it is over.
    package static var reloading: [String] {
        let (seconds, attoseconds) = SteadyTime.now.components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return ["RELOADING=1", "MONOTONIC_USEC=\(microseconds)"]
    }

    private static func watchdog(_ environment: [String: String], _ own: Int32) -> Duration? {
        guard let text = environment["WATCHDOG_USEC"], let period = Int64(text), period > 0
        else { return nil }
        if let text = environment["WATCHDOG_PID"], Int32(text) != own { return nil }
        return .microseconds(period)
    }
}
