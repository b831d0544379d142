/// Who is to be asked for the address of a master.
package struct RedisSentinels: Sendable, Equatable {
    /// A place where a server listens.
    package struct Host: Sendable, Hashable, CustomStringConvertible {
        package let host: String
        package let port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        package var description: String {
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// At least one; they are asked in turn.
    package let hosts: [Host]
    /// The name that `sentinel monitor` gives the master.
    package let master: String
    /// As whom to speak to the Sentinels themselves.
    package let user: String?
    package let password: String?

    package init(hosts: [Host], master: String, user: String? = nil, password: String? = nil) {
        precondition(!hosts.isEmpty, "somebody must know where the master is")
        self.hosts = hosts
        self.master = master
        self.user = user
        self.password = password
    }

    /// The names, between commas.
    var hostList: String { hosts.map(\.description).joined(separator: ",") }

    /// The query of a URL, with the password masked.
    var query: String {
        let login =
            (user.map { "&sentinel_username=\(Self.encoded($0))" } ?? "")
            + (password == nil ? "" : "&sentinel_password=********")
        return "?master=\(Self.encoded(master))\(login)"
    }

    private static func encoded(_ text: String) -> String {
        let plain = Set("-._~*".utf8)
        return text.utf8.map { byte in
            let isPlain = plain.contains(byte) || isAlphanumeric(byte)
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain
                ? String(UnicodeScalar(byte)) : "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }
}

extension RedisSentinels: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { hostList + query }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["sentinels": description]) }
}
