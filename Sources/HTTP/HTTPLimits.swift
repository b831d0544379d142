/// What one sender may use, each limit with a name.
package struct HTTPLimits: Sendable, Equatable {
    /// The largest response body that is kept, bytes.
    package var responseBytes = 64 * 1024
    /// The largest response head, interim responses and trailers included, bytes.
    package var responseHeaderBytes = 64 * 1024
    /// The largest request body, bytes.
    package var requestBodyBytes = 1024 * 1024
    /// The largest request head, bytes.
    package var requestHeaderBytes = 32 * 1024
    /// The longest URL, bytes.
    package var urlBytes = 8 * 1024
    /// URLs that are remembered as they were read.
    package var rememberedTargets = 1024
    /// The longest a request may ask for to connect.
    package var connectTimeout: Duration = .seconds(5)
    /// The longest a request may ask for altogether.
    package var totalTimeout: Duration = .seconds(15)
    /// Transfers on the wire at once; also the number of idle connections kept.
    package var maximumInFlight = 256
    /// Requests waiting for a slot; one more is refused as overloaded.
    package var maximumQueued = 10_000
    /// Transfers on the wire at once to one scheme, host and port.
    ///
    /// A slow host takes no more slots
    /// than these, so the others are not held up.
    package var maximumConnectionsPerHost = 32

    package init() {}
}
