/// A whole answer, copied out of libcurl.
package struct HTTPResponse: Sendable {
    /// 200, 302, 503, …: every status is an answer, none is an error.
    package let status: Int
    /// The headers of the final response.
    package let headers: HTTPHeaders
    /// As sent: redirects are not followed and nothing is decompressed.
    package let body: [UInt8]
    /// The address that was connected to, without the port.
    package let remoteAddress: String?
    /// From the start of the transfer to its end, without the wait for a free slot.
    package let elapsed: Duration

    package init(
        status: Int, headers: HTTPHeaders, body: [UInt8], remoteAddress: String?,
        elapsed: Duration
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
        self.elapsed = elapsed
    }
}
