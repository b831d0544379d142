/// Why the broker could not do something; no message is lost by it.
package struct BrokerError: Error, Sendable, CustomStringConvertible {
    /// An open set of reasons that callers act on.
    package struct Code: Hashable, Sendable {
        package let name: String

        /// The server cannot be reached, or the connection was lost: it may have been done.
        package static let unavailable = Code(name: "unavailable")
        /// No answer in time: it may have been done.
        package static let timeout = Code(name: "timeout")
        /// The server refused: wrong type, out of memory, read-only.
        package static let server = Code(name: "server")
        /// What was asked makes no sense.
        package static let refused = Code(name: "refused")
        /// A named limit was reached.
        package static let limit = Code(name: "limit")
    }

    package let code: Code
    /// One sentence for an operator; no payload, no secret.
    package let message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
