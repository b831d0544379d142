private import CCurl

/// A request that was found fit for the wire, in the form the transfer needs.
struct PreparedRequest: Sendable {
    let method: String
    let url: String
    let target: RequestTarget
    /// As libcurl wants them: `Name: value`, and `Name;` for an empty value.
    let headerLines: HeaderLines
    let body: [UInt8]
    let connectTimeout: Duration
    let totalTimeout: Duration

    /// Checks everything that can be known without touching the network.
    ///
    /// - Throws: `.badURL`, `.protocolNotAllowed`, `.badHeader`, `.requestTooLarge`.
    init(_ request: HTTPRequest, limits: HTTPLimits) throws(HTTPError) {
        target = try RequestTarget(request.url, limit: limits.urlBytes)
        let host = target.host
        guard !request.method.isEmpty, request.method.utf8.count <= 16,
            request.method.utf8.allSatisfy({ (0x41...0x5a).contains($0) })
        else {
            throw HTTPError(
                code: .badHeader, host: host, message: "the method is not a word of capitals")
        }
        guard request.body.count <= limits.requestBodyBytes else {
            throw HTTPError(
                code: .requestTooLarge, host: host,
                message: "the request body has more than \(limits.requestBodyBytes) bytes")
        }
        headerLines = try Self.headerLines(of: request, host: host, limits: limits)
        method = request.method
        url = request.url
        body = request.body
        connectTimeout = min(request.connectTimeout, limits.connectTimeout)
        totalTimeout = min(request.totalTimeout, limits.totalTimeout)
    }

    /// What the transport writes by itself: given by a caller, they could split one request in two.
    private static let framing = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
        "upgrade", "expect", "proxy-connection",
    ]

    private static func headerLines(
        of request: HTTPRequest, host: String, limits: HTTPLimits
    ) throws(HTTPError) -> HeaderLines {
        var lines = HeaderLines()
        lines.append("Expect:")
        var namesType = false
        var namesAgent = false
        var size = 0
        for (name, value) in request.headers {
            guard isToken(name), !framing.contains(where: { isSame(name, $0) }) else {
                throw HTTPError(
                    code: .badHeader, host: host, message: "a header name cannot be sent")
            }
            // RFC 9110, 5.5: no control characters but the tab; CR and LF would start a new field.
            guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }) else {
                throw HTTPError(
                    code: .badHeader, host: host,
                    message: "the value of \(name) holds a control character")
            }
            size += name.utf8.count + value.utf8.count + 4
            namesType = namesType || isSame(name, "content-type")
            namesAgent = namesAgent || isSame(name, "user-agent")
            let isBlank = value.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 }
            if isBlank { lines.append(name, ";") } else { lines.append(name, ": ", value) }
        }
        guard size <= limits.requestHeaderBytes else {
            throw HTTPError(
                code: .badHeader, host: host,
                message: "the headers have more than \(limits.requestHeaderBytes) bytes")
        }
        // libcurl would claim that a body is a form.
        if !namesType { lines.append("Content-Type:") }
        if !namesAgent { lines.append("User-Agent: backhaul") }
        return lines
    }

    /// Whether an ASCII name is `lowercase` without regard to case.
    private static func isSame(_ name: String, _ lowercase: String) -> Bool {
        name.utf8.count == lowercase.utf8.count
            && zip(name.utf8, lowercase.utf8).allSatisfy { byte, wanted in
                byte == wanted || ((0x41...0x5a).contains(byte) && byte | 0x20 == wanted)
            }
    }

    /// RFC 9110, 5.6.2.
    private static func isToken(_ text: String) -> Bool {
        let marks = "!#$%&'*+-.^_`|~".utf8
        return !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                    || (0x61...0x7a).contains(byte) || marks.contains(byte)
            }
    }
}

/// Where a request goes, as read by the parser that will also connect.
struct RequestTarget: Sendable, Equatable {
    /// For errors and logs.
    let host: String
    /// Scheme, host and port: what shares connections.
    let origin: String

    /// Reads an absolute `http` or `https` URL.
    ///
    /// - Throws: `.badURL`, `.protocolNotAllowed`.
    init(_ url: String, limit: Int) throws(HTTPError) {
        guard url.utf8.count <= limit else {
            throw HTTPError(
                code: .badURL, host: nil, message: "the URL has more than \(limit) bytes")
        }
        // C would see only what stands before a NUL.
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            throw HTTPError(
                code: .badURL, host: nil, message: "the URL holds a space or control character")
        }
        guard let handle = unsafe curl_url() else {
            throw HTTPError(code: .badURL, host: nil, message: "out of memory")
        }
        defer { unsafe curl_url_cleanup(handle) }
        switch unsafe curl_url_set(handle, CURLUPART_URL, url, UInt32(CURLU_DISALLOW_USER)) {
        case CURLUE_OK: break
        case CURLUE_UNSUPPORTED_SCHEME: throw Self.foreignProtocol
        case CURLUE_USER_NOT_ALLOWED:
            throw HTTPError(code: .badURL, host: nil, message: "the URL holds credentials")
        default: throw HTTPError(code: .badURL, host: nil, message: "the URL cannot be read")
        }
        func part(_ part: CURLUPart) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            let flags = UInt32(CURLU_DEFAULT_PORT)
            guard unsafe curl_url_get(handle, part, &text, flags) == CURLUE_OK,
                let text = unsafe text
            else { return nil }
            defer { unsafe curl_free(text) }
            return unsafe String(cString: text)
        }
        guard let scheme = part(CURLUPART_SCHEME)?.lowercased(),
            scheme == "http" || scheme == "https"
        else { throw Self.foreignProtocol }
        guard let host = part(CURLUPART_HOST)?.lowercased(), !host.isEmpty else {
            throw HTTPError(code: .badURL, host: nil, message: "the URL has no host")
        }
        self.host = host
        origin = "\(scheme)://\(host):\(part(CURLUPART_PORT) ?? "")"
    }

    private static let foreignProtocol = HTTPError(
        code: .protocolNotAllowed, host: nil, message: "only http and https are allowed")
}
