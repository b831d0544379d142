/// One request: where to, what, and how long it may take.
package struct HTTPRequest: Sendable {
    /// `GET`, `POST`, …: capital letters only.
    package var method: String
    /// An absolute `http` or `https` URL without credentials.
    package var url: String
    /// In the order they are sent.
    ///
    /// Those that frame the message are the transport's own and are refused: `Host`, `Content-Length`, `Transfer-Encoding`, `Connection` and their kin.
    package var headers: [(name: String, value: String)]
    /// Empty for none.
    package var body: [UInt8]
    /// Name resolution, connecting and the TLS handshake together; cut to the sender's limit.
    package var connectTimeout: Duration
    /// All of it, with the wait for a free slot; cut to the sender's limit.
    package var totalTimeout: Duration

    package init(
        method: String, url: String, headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], connectTimeout: Duration = .seconds(5),
        totalTimeout: Duration = .seconds(15)
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.connectTimeout = connectTimeout
        self.totalTimeout = totalTimeout
    }
}
