/// The named limits of what is accepted from a queue.
package struct WireLimits: Sendable, Equatable {
    /// The largest envelope that is parsed, bytes.
    package var envelopeBytes = 16 * 1024 * 1024
    /// The largest body after decompression, bytes.
    package var bodyBytes = 16 * 1024 * 1024
    /// The deepest nesting of arrays and objects; 512 at most.
    package var depth = 128

    package init() {}
}
