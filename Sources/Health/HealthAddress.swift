/// Where health is served, such as `127.0.0.1:9464` or `[::1]:9464`.
package struct HealthAddress: Sendable, Hashable, CustomStringConvertible {
    /// Why text is no such address: a phrase that follows the setting's name.
    package struct ParseError: Error, Equatable {
        package let problem: String
    }

    /// An address or a name, without brackets.
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        precondition((0...65_535).contains(port), "\(port) is no port")
        self.host = host
        self.port = port
    }

    /// Reads `host:port`.
    package init(_ text: String) throws(ParseError) {
        guard let colon = text.lastIndex(of: ":") else {
            throw ParseError(problem: "has no port; write it as 127.0.0.1:9464")
        }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits),
            (1...65_535).contains(port)
        else { throw ParseError(problem: "has a port outside 1…65535") }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw ParseError(problem: "needs brackets around an IPv6 address: [::1]:9464")
        }
        guard !host.isEmpty else {
            throw ParseError(
                problem: "has no host; write 127.0.0.1:\(port), or 0.0.0.0:\(port) for the network")
        }
        guard
            host.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte) || ".-:%_".utf8.contains(byte)
            })
        else { throw ParseError(problem: "has a host that cannot be used") }
        self.init(host: String(host), port: port)
    }

    /// As it is written.
    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Whether only this machine can reach it.
    package var isLoopback: Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isV4Loopback =
            parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
            && parts[0] == "127"
        return isV4Loopback || host == "::1" || host.lowercased() == "localhost"
    }

    /// The address of a supervisor's child: the same host, `number` ports further; nil where ports
    /// end.
    package func offset(by number: Int) -> HealthAddress? {
        guard number != 0 else { return self }
        let port = port + number
        return (1...65_535).contains(port) ? HealthAddress(host: host, port: port) : nil
    }
}
