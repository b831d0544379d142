/// Positional and keyword arguments, and the canvas parts.
public struct MessageBody: Sendable, Equatable {
    /// The positional arguments.
    public let args: [JSONValue]
    /// The keyword arguments.
    public let kwargs: JSONObject
    /// `callbacks`, `errbacks`, `chain` and `chord`, or nothing.
    public let embed: JSONObject

    /// Puts a body together.
    public init(args: [JSONValue], kwargs: JSONObject, embed: JSONObject = JSONObject()) {
        self.args = args
        self.kwargs = kwargs
        self.embed = embed
    }

    /// Reads `[args, kwargs, embed]`.
    ///
    /// - Throws: `body.shape`, `body.args`, `body.kwargs` or `body.embed`.
    init(_ json: JSONValue) throws(MessageError) {
        guard case .array(let parts) = json else { throw Self.shape(json.kind) }
        guard parts.count == 3 else { throw Self.shape("one of \(parts.count)") }
        try self.init(args: parts[0], kwargs: parts[1], embed: parts[2])
    }

    init(args: JSONValue, kwargs: JSONValue, embed: JSONValue) throws(MessageError) {
        guard case .array(let args) = args else { throw Self.mistyped("args", "a list", args) }
        guard case .object(let kwargs) = kwargs else {
            throw Self.mistyped("kwargs", "an object", kwargs)
        }
        self.args = args
        self.kwargs = kwargs
        switch embed {
        case .null: self.embed = JSONObject()
        case .object(let members): self.embed = members
        default: throw Self.mistyped("embed", "an object or null", embed)
        }
    }

    private static func shape(_ found: String) -> MessageError {
        MessageError(code: "body.shape", message: "the body must be a list of three, not \(found)")
    }

    private static func mistyped(
        _ part: String, _ wanted: String, _ found: JSONValue
    ) -> MessageError {
        MessageError(
            code: "body.\(part)", message: "\"\(part)\" must be \(wanted), not \(found.kind)")
    }
}
