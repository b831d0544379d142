import NIOCore
import NIOHTTP1

/// The bounds of the health port: a probe needs none of this, an attacker gets no more.
struct HealthLimits: Sendable {
    /// Connections at a time; one more closes the oldest, so that probes always get in.
    var connections = 64
    /// Connections that the kernel holds until they are accepted.
    var backlog: Int32 = 256
    /// How long a connection may take for a request, and as long again for taking the reply.
    var idle = TimeAmount.seconds(10)
    /// Bytes of a request's body, which nobody reads.
    var bodyBytes = 1024
    /// Header fields of a request.
    var headerFields = 64
    /// Bytes of one header field, and of the path.
    var headerFieldBytes = 8 * 1024
    /// Bytes of all header fields.
    var headerBytes = 16 * 1024
    /// How long to wait before a port that is taken is tried again.
    var bindRetry = Duration.seconds(5)

    var decoder: NIOHTTPDecoderLimitConfiguration {
        var decoder = NIOHTTPDecoderLimitConfiguration()
        decoder.maxHeaderFieldSize = headerFieldBytes
        decoder.maxHeaderListSize = headerBytes
        decoder.maxHeaderFieldCount = headerFields
        return decoder
    }
}
