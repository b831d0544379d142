/// Why bytes are not JSON that can be used; it never quotes them.
package struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The open set of reasons.
    package enum Code: String, Sendable {
        /// Not JSON.
        case syntax
        /// Nested deeper than allowed.
        case depth
        /// Longer than allowed.
        case size
        /// A string that is not UTF-8.
        case utf8
        /// Half of a surrogate pair, which Python can write and no UTF-8 text can hold.
        case surrogate
    }

    /// The reason.
    package let code: Code
    /// One sentence.
    package let message: String
    /// Where it was noticed, in bytes from the start.
    package let offset: Int

    package init(code: Code, message: String, offset: Int) {
        self.code = code
        self.message = message
        self.offset = offset
    }

    package var description: String { "\(message) at byte \(offset)" }
}
