/// Arguments that do not fit the job; retrying cannot help.
package struct PayloadError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The longest argument name that is repeated in a message, in characters.
    static let maximumName = 100

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

extension PayloadError {
    /// Says what `error`, thrown while a payload was decoded, means to the caller of the job.
    ///
    /// Only sentences made by this module are repeated: those of others may quote the value.
    init(_ error: any Error) {
        switch error {
        case let error as PayloadError:
            self = error
        case DecodingError.keyNotFound(let key, let context) where context.codingPath.isEmpty:
            self.init(
                code: "missing_argument",
                message: "missing required argument \"\(key.stringValue)\"")
        case DecodingError.keyNotFound(let key, let context):
            self.init(
                code: "missing_argument",
                message: "\(Self.name(context.codingPath)) has no \"\(key.stringValue)\"")
        case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context):
            let problem = context.underlyingError as? JSONProblem
            let message = problem?.message ?? "has a value that cannot be used"
            self.init(code: "wrong_type", message: "\(Self.name(context.codingPath)) \(message)")
        default:
            self.init(
                code: "wrong_type",
                message: "the arguments cannot be decoded: \(Swift.type(of: error))")
        }
    }

    /// `argument "items[2].price"`.
    private static func name(_ path: [any CodingKey]) -> String {
        guard !path.isEmpty else { return "the argument" }
        var name = ""
        for key in path {
            let isPlace = key is JSONKey && key.intValue != nil
            if !name.isEmpty, !isPlace { name += "." }
            name += key.stringValue
        }
        return "argument \"\(name.prefix(maximumName))\""
    }
}
