internal import CCurl

/// Where requests go: one URL, read once by the parser that will also connect.
///
/// Threading: nothing in it changes. Ownership: the parsed URL is freed in `deinit`; a handle whose
/// transfers it names holds the target. See curl_url_set(3) and CURLOPT_CURLU(3).
@safe
final class RequestTarget: @unchecked Sendable {
    // Invariant: live from init to deinit, and only read after init.
    private let parsed: OpaquePointer
    let url: String
    /// For errors and logs.
    let host: String
    /// Scheme, host and port: what shares connections.
    let origin: String

    /// Reads an absolute `http` or `https` URL of at most `limit` bytes.
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
        guard let parsed = unsafe curl_url() else {
            throw HTTPError(code: .badURL, host: nil, message: "out of memory")
        }
        do throws(HTTPError) {
            try unsafe Self.read(url, into: parsed)
            (host, origin) = try unsafe Self.names(of: parsed)
        } catch {
            unsafe curl_url_cleanup(parsed)
            throw error
        }
        unsafe self.parsed = parsed
        self.url = url
    }

    deinit { unsafe curl_url_cleanup(parsed) }

    /// Gives the parsed URL to a C call, which may keep it as long as somebody holds the target.
    @unsafe
    func withParsed<Answer>(_ body: (OpaquePointer) -> Answer) -> Answer {
        unsafe body(parsed)
    }

    private static func read(_ url: String, into parsed: OpaquePointer) throws(HTTPError) {
        switch unsafe curl_url_set(parsed, CURLUPART_URL, url, UInt32(CURLU_DISALLOW_USER)) {
        case CURLUE_OK: break
        case CURLUE_UNSUPPORTED_SCHEME: throw foreignProtocol
        case CURLUE_USER_NOT_ALLOWED:
            throw HTTPError(code: .badURL, host: nil, message: "the URL holds credentials")
        default: throw HTTPError(code: .badURL, host: nil, message: "the URL cannot be read")
        }
    }

    private static func names(
        of parsed: OpaquePointer
    ) throws(HTTPError) -> (host: String, origin: String) {
        func part(_ part: CURLUPart) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            let flags = UInt32(CURLU_DEFAULT_PORT)
            guard unsafe curl_url_get(parsed, part, &text, flags) == CURLUE_OK,
                let text = unsafe text
            else { return nil }
            defer { unsafe curl_free(text) }
            return unsafe String(cString: text)
        }
        guard let scheme = part(CURLUPART_SCHEME)?.lowercased(),
            scheme == "http" || scheme == "https"
        else { throw foreignProtocol }
        guard let host = part(CURLUPART_HOST)?.lowercased(), !host.isEmpty else {
            throw HTTPError(code: .badURL, host: nil, message: "the URL has no host")
        }
        return (host, "\(scheme)://\(host):\(part(CURLUPART_PORT) ?? "")")
    }

    private static let foreignProtocol = HTTPError(
        code: .protocolNotAllowed, host: nil, message: "only http and https are allowed")
}
