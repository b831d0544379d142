/// Decodes a payload type from positional and keyword arguments, as a Python call would bind them.
///
/// The payload's own `init(from:)` is the parameter list: the nth distinct key that it asks for is
/// the nth parameter. Synthesised conformances ask in the order of declaration, so the nth
/// positional argument is the nth stored property. Optional properties may be missing. A
/// ``RawArguments`` is given everything, unread. A payload
/// that asks for a list gets the positional arguments; one that asks for a single value gets the
/// only argument.
package enum PayloadDecoder {
    /// Binds and decodes.
    ///
    /// - Throws: `PayloadError` that names the argument and never quotes its value.
    package static func decode<Payload: Decodable>(
        _ type: Payload.Type, args: [JSONValue], kwargs: JSONObject
    ) throws(PayloadError) -> Payload {
        if Payload.self == RawArguments.self,
            let raw = RawArguments(args: args, kwargs: kwargs) as? Payload
        {
            return raw
        }
        let binding = PayloadBinding(args: args, kwargs: kwargs)
        let payload: Payload
        do {
            if type is any JSONScalar.Type {
                payload = try JSONValueDecoder.decode(type, from: binding.only(), at: [])
            } else {
                payload = try Payload(from: PayloadArguments(binding: binding))
            }
        } catch {
            throw binding.conflict ?? PayloadError(error)
        }
        try binding.checkAllTaken()
        return payload
    }
}

/// The decoder at the top of a payload.
private struct PayloadArguments: Decoder {
    let binding: PayloadBinding
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(JSONMembersDecoding(members: binding, codingPath: []))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer {
        JSONItemsDecoding(items: binding.all(), codingPath: [])
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        JSONSingleDecoding(value: try binding.only(), codingPath: [])
    }
}

/// Which parameter got which argument; shared by the containers of one decoding, on one thread.
private final class PayloadBinding: JSONMembers {
    private let args: [JSONValue]
    private let kwargs: JSONObject
    /// Parameters in the order in which they were first asked for.
    private var parameters: [String] = []
    /// The payload takes all positional arguments, however many.
    private var takesAllPositional = false
    private(set) var conflict: PayloadError?

    init(args: [JSONValue], kwargs: JSONObject) {
        self.args = args
        self.kwargs = kwargs
    }

    var keys: [String] { kwargs.keys }

    func value(for key: String) -> JSONValue? {
        let place: Int
        if let known = parameters.firstIndex(of: key) {
            place = known
        } else {
            place = parameters.count
            parameters.append(key)
        }
        let named = kwargs[key]
        guard place < args.count else { return named }
        if named != nil, conflict == nil {
            conflict = PayloadError(
                code: "duplicate_argument",
                message: "got multiple values for argument \"\(key)\"")
        }
        return args[place]
    }

    /// Every positional argument.
    func all() -> [JSONValue] {
        takesAllPositional = true
        return args
    }

    /// The only argument.
    func only() throws(PayloadError) -> JSONValue {
        guard let value = args.first else {
            throw PayloadError(
                code: "missing_argument", message: "missing 1 required positional argument")
        }
        takesAllPositional = args.count == 1
        if !takesAllPositional { parameters = [""] }
        return value
    }

    /// Refuses arguments that no parameter took.
    func checkAllTaken() throws(PayloadError) {
        if let conflict { throw conflict }
        if args.count > parameters.count, !takesAllPositional {
            let takes = parameters.count == 1 ? "argument" : "arguments"
            let given = args.count == 1 ? "was given" : "were given"
            throw PayloadError(
                code: "unexpected_argument",
                message: "takes \(parameters.count) positional \(takes) but \(args.count) \(given)")
        }
        for key in kwargs.keys where !parameters.contains(key) {
            throw PayloadError(
                code: "unexpected_argument",
                message: "unexpected keyword argument \"\(key.prefix(PayloadError.maximumName))\"")
        }
    }
}
