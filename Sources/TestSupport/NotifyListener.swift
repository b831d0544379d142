import Glibc
import Mailbox

/// What a service manager hears: a datagram socket at a path, and the messages sent to it.
package final class NotifyListener: Sendable {
    /// The value of `NOTIFY_SOCKET`.
    package let address: String
    private let descriptor: Int32
    private let directory: TemporaryDirectory
    private let heard = Locked<[String]>([])

    /// Listens at a path, or at an abstract name.
    package init(isAbstract: Bool = false) throws {
        directory = try TemporaryDirectory(prefix: "backhaul-notify")
        let path = directory.path(of: "socket")
        self.address = isAbstract ? "@\(path)" : path
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = socket(AF_UNIX, kind, 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = (isAbstract ? [0] : []) + Array(path.utf8)
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1))
        // Safe: the path of a temporary directory is shorter than its field.
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let failure = unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(descriptor, pointer, length)
            }
        }
        guard failure == 0 else { throw FixtureError("\(address) cannot be bound: \(errno)") }
    }

    deinit { close(descriptor) }

    /// The messages so far; fields are separated by newlines.
    package var messages: [String] {
        heard.withLock { heard in
            while let message = next() { heard.append(message) }
            return heard
        }
    }

    /// The fields of all messages so far.
    package var fields: [String] {
        messages.flatMap { $0.split(separator: "\n").map(String.init) }
    }

    private func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        // Safe: at most `count` bytes are written into the array that outlives the call.
        let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}
