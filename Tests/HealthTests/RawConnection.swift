import Glibc

/// A blocking TCP connection to 127.0.0.1, for what no HTTP client would send, and for threads that
/// must not depend on the cooperative pool.
final class RawConnection {
    struct Failure: Error {
        let what: String
        let number = errno
    }

    struct Reply: Equatable {
        let status: Int
        let headers: [String: String]
        let body: String
    }

    private let descriptor: Int32
    private var received: [UInt8] = []

    /// Connects; reads and writes fail after `timeout` seconds.
    init(port: Int, timeout: Int = 10) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(what: "socket") }
        self.timeout = timeout
        setTimeout(seconds: timeout, milliseconds: 0)
        var one: Int32 = 1
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, size)
            }
        }
        guard result == 0 else { throw Failure(what: "connect") }
    }

    private let timeout: Int

    deinit { close(descriptor) }

    private func setTimeout(seconds: Int, milliseconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: milliseconds * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, size)
    }

    /// Sends bytes; returns false once the other side is gone.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let rest = Array(bytes[sent...])
            let count = unsafe Glibc.send(
                descriptor, rest, rest.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Asks for a path and reads the answer.
    func get(
        _ path: String, method: String = "GET", accept: String? = nil, keepAlive: Bool = true
    ) throws -> Reply {
        let fields =
            (accept.map { "Accept: \($0)\r\n" } ?? "")
            + (keepAlive ? "" : "Connection: close\r\n")
        send("\(method) \(path) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n")
        return try readReply(hasBody: method != "HEAD")
    }

    /// Reads one answer.
    func readReply(hasBody: Bool = true) throws -> Reply {
        var end = Self.headEnd(received)
        while end == nil {
            guard receive() > 0 else { throw Failure(what: "recv") }
            end = Self.headEnd(received)
        }
        let lines = String(decoding: received[..<(end ?? 0)], as: UTF8.self)
            .split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count == 2 ? String(parts[1].dropFirst()) : ""
        }
        let length = hasBody ? Int(headers["content-length"] ?? "") ?? 0 : 0
        let bodyStart = (end ?? 0) + 4
        while received.count < bodyStart + length {
            guard receive() > 0 else { throw Failure(what: "recv") }
        }
        let body = String(decoding: received[bodyStart..<(bodyStart + length)], as: UTF8.self)
        received.removeFirst(bodyStart + length)
        let status = Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0
        return Reply(status: status, headers: headers, body: body)
    }

    /// Waits until the other side closes; false if it does not within the timeout.
    func isClosedByPeer() -> Bool {
        while true {
            let count = receive()
            if count == 0 { return true }
            if count < 0 { return errno == ECONNRESET || errno == EPIPE }
        }
    }

    /// Sends `byte` every `milliseconds` until the other side closes; false after `limit` bytes.
    func isClosedWhileDripping(_ byte: UInt8, milliseconds: Int, limit: Int) -> Bool {
        setTimeout(seconds: 0, milliseconds: milliseconds)
        for _ in 0..<limit {
            guard send([byte]) else { return true }
            let count = receive()
            if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
        }
        return false
    }

    private func receive() -> Int {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 { received += buffer[..<count] }
        return count
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        bytes.firstRange(of: Array("\r\n\r\n".utf8))?.lowerBound
    }
}
