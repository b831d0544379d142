/// A payload for jobs that take whatever they are given: the arguments as they were sent.
public struct RawArguments: Sendable, Equatable {
    /// The positional arguments.
    public var args: [JSONValue]
    /// The keyword arguments.
    public var kwargs: JSONObject

    /// Takes both lists as they are.
    public init(args: [JSONValue] = [], kwargs: JSONObject = JSONObject()) {
        self.args = args
        self.kwargs = kwargs
    }

    /// The argument at that place, or by that name; `nil` when it was not given, or is null.
    public func argument(_ place: Int, _ name: String) -> JSONValue? {
        let value = place < args.count ? args[place] : kwargs[name]
        return value?.isNull == true ? nil : value
    }
}

extension RawArguments: Codable {
    private enum CodingKeys: CodingKey { case args, kwargs }

    /// Reads the members `args` and `kwargs`; as the payload of a job it is not read by this, but is
    /// given the arguments themselves.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        args = try container.decode([JSONValue].self, forKey: .args)
        let named = try container.decode([String: JSONValue].self, forKey: .kwargs)
        kwargs = JSONObject(named.map { ($0.key, $0.value) })
    }

    /// Writes the members `args` and `kwargs`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(args, forKey: .args)
        try container.encode(JSONValue.object(kwargs), forKey: .kwargs)
    }
}
