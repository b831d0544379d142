/// Why bytes could not be compressed or decompressed; it never quotes them.
package struct ZlibError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The open set of reasons.
    package enum Code: String, Sendable {
        /// Not a zlib or gzip stream, or a damaged one.
        case corrupt
        /// The stream ends early.
        case truncated
        /// There are bytes after the end of the stream.
        case trailing
        /// The output would exceed the limit that was given.
        case tooLarge
        /// zlib could not allocate its state.
        case memory
    }

    /// The reason.
    package let code: Code
    /// One sentence.
    package let message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
