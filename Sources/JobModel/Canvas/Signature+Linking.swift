// How signatures are put together; the rules are Celery's.

extension Signature {
    /// `options.task_id`.
    package var taskID: String? { options["task_id"]?.stringValue }

    var isGroup: Bool { if case .group = shape { true } else { false } }
    var isChord: Bool { if case .chord = shape { true } else { false } }
    var isChain: Bool { if case .chain = shape { true } else { false } }
    var isTask: Bool { shape == .task }

    /// An empty chain is nothing at all.
    var isEmptyChain: Bool { if case .chain(let steps) = shape { steps.isEmpty } else { false } }

    /// A group of one is that one.
    var unrolled: Signature {
        if case .group(let members) = shape, members.count == 1 { members[0] } else { self }
    }

    /// How many parts it contributes to the chord whose header it is a member of.
    var partCount: Int {
        switch shape {
        case .task: 1
        case .group(let members): members.reduce(0) { $0 + $1.partCount }
        case .chain(let steps): steps.reversed().lazy.map(\.partCount).first { $0 > 0 } ?? 0
        case .chord(_, let body): body.partCount
        }
    }

    /// The task whose result is the result of the whole.
    var resultCarrier: Signature {
        switch shape {
        case .task, .group: self
        case .chain(let steps): steps.last?.resultCarrier ?? self
        case .chord(_, let body): body.resultCarrier
        }
    }

    /// With `new` before its own arguments, unless it ignores them.
    func given(_ new: [JSONValue]) -> Signature {
        guard !new.isEmpty, !isImmutable else { return self }
        var copy = self
        switch shape {
        case .group(let members): copy.shape = .group(members.map { $0.given(new) })
        case .chain(var steps):
            if !steps.isEmpty { steps[0] = steps[0].given(new) }
            copy.shape = .chain(steps)
        case .task, .chord: copy.args = new + args
        }
        return copy
    }

    /// Its own options, overridden by those of `new` that are not null; its group and its stamps
    /// stay.
    func options(mergedWith new: JSONObject) -> JSONObject {
        var merged = options
        let stamps = options["stamped_headers"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let kept = Set(["group_id", "stamped_headers"] + stamps)
        for (key, value) in new where !value.isNull {
            if kept.contains(key), options[key] != nil { continue }
            merged[key] = value
        }
        return merged
    }

    /// Adds to an option that holds a list of signatures; what it holds already is not added twice.
    mutating func add(_ signature: JSONValue, to option: String) {
        var list: [JSONValue] =
            switch options[option] {
            case nil, .null?: []
            case .array(let items)?: items
            case let single?: [single]
            }
        if !list.contains(signature) { list.append(signature) }
        options[option] = .array(list)
    }

    /// The list under an option that may hold one value, or none.
    func list(_ option: String) -> [JSONValue] {
        switch options[option] {
        case nil, .null?: []
        case .array(let items)?: items
        case let single?: [single]
        }
    }

    /// Has `callback` called with the result: of a chord its body's, of a group by its first member.
    package mutating func link(_ callback: JSONValue) {
        switch shape {
        case .chord(let header, var body):
            body.link(callback)
            shape = .chord(header: header, body: body)
        case .group(var members):
            guard !members.isEmpty else { return }
            members[0].link(Self.immutable(callback))
            shape = .group(members)
        case .task, .chain: add(callback, to: "link")
        }
    }

    private static func immutable(_ callback: JSONValue) -> JSONValue {
        guard case .object(var members) = callback else { return callback }
        members["immutable"] = true
        return .object(members)
    }

    /// Has `errback` called on failure: of a chord its body's, of a group every member's.
    package mutating func linkError(_ errback: JSONValue) {
        switch shape {
        case .chord(var header, var body):
            for index in header.indices where header[index].isChord {
                header[index].linkError(errback)
            }
            body.linkError(errback)
            shape = .chord(header: header, body: body)
        case .group(var members):
            for index in members.indices { members[index].linkError(errback) }
            shape = .group(members)
        case .task, .chain: add(errback, to: "link_error")
        }
    }

    /// The error callbacks of the task whose result is the result of the whole, for a chord that
    /// failed: its own and its body's.
    var resultErrbacks: [JSONValue] {
        var found: [JSONValue] = []
        var signature = self
        while case .chord(_, let body) = signature.shape {
            found += signature.list("link_error")
            signature = body
        }
        found += signature.list("link_error")
        if case .group(let members) = signature.shape {
            for member in members { found += member.resultErrbacks }
        }
        return found
    }
}

extension [JSONValue] {
    /// Each value once, at its first place.
    var unique: [JSONValue] {
        var seen: Set<JSONValue> = []
        return filter { seen.insert($0).inserted }
    }
}
