/// A Redis URL taken apart, as the Python clients read it.
///
/// As there, the credentials end at the last `@` before the first `/` or `?`.
struct RedisURL {
    let scheme: String
    /// What stands between the scheme's slashes and the path, without the credentials.
    let authority: Substring
    let path: Substring
    /// What stands before the last `@`.
    let credentials: Substring?
    private let query: Substring
    private let text: String

    init(_ url: String) throws(RedisError) {
        guard let separator = url.firstRange(of: "://") else {
            throw Self.problem("it has no scheme, such as redis://")
        }
        text = url
        scheme = url[..<separator.lowerBound].lowercased()
        let rest = url[separator.upperBound...]
        guard !rest.contains("#") else { throw Self.problem("'#' must be written as %23") }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let whole = rest[..<end]
        if let at = whole.lastIndex(of: "@") {
            credentials = whole[..<at]
            authority = whole[whole.index(after: at)...]
        } else {
            credentials = nil
            authority = whole
        }
        let mark = rest[end...].firstIndex(of: "?") ?? rest.endIndex
        path = rest[end..<mark]
        query = rest[mark...].dropFirst()
    }

    func address() throws(RedisError) -> RedisAddress {
        switch scheme {
        case "redis":
            try tcpAddress()
        case "redis+socket", "unix":
            try socketAddress()
        case "rediss":
            throw Self.problem("TLS (rediss://) is not supported yet")
        case _ where SentinelURL.schemes.contains(scheme):
            try SentinelURL(text).address()
        default:
            throw Self.problem("the scheme is not redis, redis-sentinel, redis+socket or unix")
        }
    }

    private func tcpAddress() throws(RedisError) -> RedisAddress {
        let options = try options(Self.knownOptions)
        let (host, port) = try Self.hostAndPort(authority, defaultPort: 6379)
        let text = try Self.decoded(path.drop { $0 == "/" }, "the database")
        return try address(
            .tcp(host: host.isEmpty ? "localhost" : host, port: port), options: options,
            database: text.isEmpty ? options["db"] : text)
    }

    private func socketAddress() throws(RedisError) -> RedisAddress {
        let options = try options(Self.knownOptions)
        guard authority.isEmpty else {
            throw Self.problem("a socket's URL has three slashes before the path")
        }
        let path = try Self.decoded(path, "the path")
        guard path.hasPrefix("/"), path.count > 1 else {
            throw Self.problem("the path of the socket is missing")
        }
        return try address(
            .unix(path: path), options: options,
            database: options["virtual_host"] ?? options["db"])
    }

    private func address(
        _ endpoint: RedisAddress.Endpoint, options: [String: String], database: String?
    ) throws(RedisError) -> RedisAddress {
        let (user, password) = try login(options)
        return RedisAddress(
            endpoint: endpoint, user: user, password: password,
            database: try Self.databaseNumber(database))
    }

    /// The user and the password, from before the `@` or from the query.
    func login(
        _ options: [String: String]
    ) throws(RedisError) -> (user: String?, password: String?) {
        var user: String?
        var password: String?
        if let credentials {
            let parts = credentials.split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = try Self.decoded(parts[0], "the user")
            password = parts.count > 1 ? try Self.decoded(parts[1], "the password") : nil
        }
        user = user ?? options["username"]
        password = password ?? options["password"]
        if user?.isEmpty == true { user = nil }
        if password?.isEmpty == true { password = nil }
        guard user == nil || password != nil else {
            throw Self.problem("there is a user but no password")
        }
        return (user, password)
    }

    static func databaseNumber(_ text: String?) throws(RedisError) -> Int {
        // A virtual host may be written as a path, "/3".
        let digits = (text ?? "").drop { $0 == "/" }
        guard let number = digits.isEmpty ? 0 : Self.number(digits) else {
            throw Self.problem("the database is not a number from 0 up")
        }
        return number
    }

    /// The decoded host, empty if left out, and the port.
    static func hostAndPort(
        _ authority: Substring, defaultPort: Int
    ) throws(RedisError) -> (host: String, port: Int) {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else {
                throw Self.problem("the ']' of the host is missing")
            }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw Self.problem("after ']' comes a ':' and the port")
            }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard let number = port.map({ $0.isEmpty ? defaultPort : Self.number($0) }) ?? defaultPort,
            1...65_535 ~= number
        else { throw Self.problem("the port is not a number from 1 to 65535") }
        return (try Self.decoded(host, "the host"), number)
    }

    private static let knownOptions = ["db", "virtual_host", "username", "password"]

    /// The query, decoded; it may name nothing but `known`.
    func options(_ known: [String]) throws(RedisError) -> [String: String] {
        var options: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard known.contains(name) else {
                let names = known.dropLast().joined(separator: ", ")
                throw Self.problem("the query may name \(names) and \(known.last ?? "nothing")")
            }
            options[name] = try Self.decoded(parts.dropFirst().first ?? "", "the query")
        }
        return options
    }

    static func decoded(
        _ text: Substring, _ part: String
    ) throws(RedisError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2).compactMap(hexadecimal)
            guard digits.count == 2 else {
                throw problem("a '%' in \(part) is not followed by two hexadecimal digits")
            }
            bytes.append(digits[0] << 4 | digits[1])
            rest = rest.dropFirst(2)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw problem("\(part) is not text in UTF-8")
        }
        return decoded
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func number(_ text: some StringProtocol) -> Int? {
        text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ? Int(text) : nil
    }

    static func problem(_ sentence: String) -> RedisError {
        RedisError(.address, "the Redis URL cannot be used: \(sentence)")
    }
}
