/// Why a request has no answer.
///
/// Holds the host, never the path, the query, a header value or a body.
package struct HTTPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it was.
    package enum Code: String, Sendable, CaseIterable {
        /// The guard refused every address of the host.
        case blockedAddress = "blocked_address"
        /// The name has no address.
        case resolve
        /// No connection: refused or unreachable.
        case connect
        /// Time ran out.
        case timeout
        /// The handshake failed or the certificate is not trusted.
        case tls
        /// The head or the body passed its limit.
        case responseTooLarge = "response_too_large"
        /// The request body passed its limit.
        case requestTooLarge = "request_too_large"
        /// Neither `http` nor `https`.
        case protocolNotAllowed = "protocol_not_allowed"
        /// Not a URL, or one with credentials.
        case badURL = "bad_url"
        /// A method, header name or header value that must not go on the wire.
        case badHeader = "bad_header"
        /// The connection broke, or what came was not HTTP.
        case aborted
        /// The sender was shut down.
        case closed
        /// Too many requests are waiting already.
        case overloaded
        /// The Swift task was cancelled.
        case cancelled
    }

    package let code: Code
    /// The host of the URL, where it could be read.
    package let host: String?
    /// One sentence for an operator.
    package let message: String
    /// Whether the server may have seen the request; `false` only when it certainly has not.
    package let mayHaveBeenSent: Bool
    /// The status, when the head had arrived before the failure.
    package let status: Int?

    package init(
        code: Code, host: String?, message: String, mayHaveBeenSent: Bool = false,
        status: Int? = nil
    ) {
        self.code = code
        self.host = host
        self.message = message
        self.mayHaveBeenSent = mayHaveBeenSent
        self.status = status
    }

    package var description: String {
        "\(message) (\(code.rawValue)\(host.map { ", host \($0)" } ?? ""))"
    }
}
