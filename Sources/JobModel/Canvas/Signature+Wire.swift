extension Signature {
    private static let known: Set<String> = [
        "task", "args", "kwargs", "options", "subtask_type", "immutable",
    ]

    /// Reads the JSON form, with all signatures inside it.
    ///
    /// Fields and options that are unknown here are kept.
    ///
    /// - Throws: ``CanvasError`` `canvas.malformed`, naming the field.
    public init(json: JSONValue) throws(CanvasError) {
        guard case .object(let members) = json else {
            throw .malformed("signature", "an object", json)
        }
        guard let name = members["task"]?.stringValue else {
            throw .malformed("task", "a name", members["task"])
        }
        guard !name.isEmpty else {
            throw CanvasError(code: "canvas.malformed", message: "\"task\" is empty")
        }
        self.init(
            JobName(name), args: try Self.list(members["args"], "args"),
            kwargs: try Self.object(members["kwargs"], "kwargs"),
            options: try Self.object(members["options"], "options"),
            isImmutable: members["immutable"]?.boolValue ?? false)
        for (key, value) in members where !Self.known.contains(key) { unknownFields[key] = value }
        switch members["subtask_type"]?.stringValue {
        case "chain": shape = .chain(try takeMembers("tasks"))
        case "group": shape = .group(try takeMembers("tasks"))
        case "chord": shape = try takeChord()
        default: shape = .task
        }
    }

    private mutating func takeMembers(_ key: String) throws(CanvasError) -> [Signature] {
        defer { kwargs[key] = nil }
        return try Self.signatures(kwargs[key], key)
    }

    private mutating func takeChord() throws(CanvasError) -> Shape {
        guard let body = kwargs["body"] else { throw .malformed("body", "a signature", nil) }
        let header: [Signature]
        if case .object? = kwargs["header"] {
            let group = try Signature(json: kwargs["header"] ?? .null)
            guard case .group(let members) = group.shape else {
                throw .malformed("header", "a list or a group", kwargs["header"])
            }
            header = members
            headerOptions = group.options
        } else {
            header = try Self.signatures(kwargs["header"], "header")
        }
        kwargs["header"] = nil
        kwargs["body"] = nil
        return .chord(header: header, body: try Signature(json: body))
    }

    /// Reads a list of signatures; a single one counts as a list of one, null as none.
    ///
    /// - Throws: ``CanvasError`` `canvas.malformed`, naming `field`.
    package static func signatures(
        _ value: JSONValue?, _ field: String
    ) throws(CanvasError) -> [Signature] {
        switch value {
        case nil, .null?: return []
        case .object?: return [try Signature(json: value ?? .null)]
        case .array(let items)?:
            var signatures: [Signature] = []
            signatures.reserveCapacity(items.count)
            for item in items { signatures.append(try Signature(json: item)) }
            return signatures
        case let other?: throw .malformed(field, "a list of signatures", other)
        }
    }

    private static func list(
        _ value: JSONValue?, _ field: String
    ) throws(CanvasError) -> [JSONValue] {
        switch value {
        case nil, .null?: return []
        case .array(let items)?: return items
        case let other?: throw .malformed(field, "a list", other)
        }
    }

    private static func object(
        _ value: JSONValue?, _ field: String
    ) throws(CanvasError) -> JSONObject {
        switch value {
        case nil, .null?: return JSONObject()
        case .object(let members)?: return members
        case let other?: throw .malformed(field, "an object", other)
        }
    }

    /// The JSON form that Python's `Signature.from_dict` reads.
    public var json: JSONValue {
        var members: JSONObject = [
            "task": .string(name.text), "args": .array(args), "kwargs": .object(wireKwargs),
            "options": .object(options), "subtask_type": subtaskType,
            "immutable": .bool(isImmutable),
        ]
        for (key, value) in unknownFields { members[key] = value }
        return .object(members)
    }

    private var subtaskType: JSONValue {
        switch shape {
        case .task: .null
        case .chain: "chain"
        case .group: "group"
        case .chord: "chord"
        }
    }

    private var wireKwargs: JSONObject {
        var kwargs = kwargs
        switch shape {
        case .task: break
        case .chain(let members), .group(let members):
            kwargs["tasks"] = .array(members.map(\.json))
        case .chord(let header, let body):
            kwargs["kwargs"] = kwargs["kwargs"] ?? [:]
            kwargs["header"] =
                headerOptions.isEmpty
                ? .array(header.map(\.json))
                : Signature.group(header, options: headerOptions).json
            kwargs["body"] = body.json
        }
        return kwargs
    }
}
