/// Decodes a payload type from positional and keyword arguments, as a Python call would bind them.
package enum PayloadDecoder {
    package static func decode<Payload: Decodable>(
        _ type: Payload.Type, args: [JSONValue], kwargs: JSONObject
    ) throws(PayloadError) -> Payload {
        preconditionFailure("wire")
    }
}

/// Arguments that do not fit the job; retrying cannot help.
package struct PayloadError: Error, Sendable, CustomStringConvertible {
    /// `missing_argument`, `unexpected_argument`, `duplicate_argument`, `wrong_type`.
    package let code: String
    /// One sentence naming the argument.
    package let message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
