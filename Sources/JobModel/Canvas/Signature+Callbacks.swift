/// What is sent when a signature ends: Celery's `link` and `link_error`.
extension Signature {
    /// The same, sending `callbacks` when it succeeds, each with its result as first argument.
    ///
    /// A chain sends them after its last step, a chord after its body. A group is no task and has no
    /// result: as in Celery, its first member sends them, without an argument; make it a chord to
    /// wait for all.
    public func onSuccess(_ callbacks: Signature...) -> Signature {
        var copy = self
        for callback in callbacks {
            copy.link(callback.json)
            copy.problem = copy.problem ?? callback.problem
        }
        return copy
    }

    /// The same, sending `handlers` when it fails for good, each with the id of the failed task as
    /// first argument.
    ///
    /// Every step of a chain has them, every member of a group, and the body of a chord, which fails
    /// when a member of its header does.
    public func onFailure(_ handlers: Signature...) -> Signature {
        var copy = self
        for handler in handlers {
            copy.linkError(handler.json)
            copy.problem = copy.problem ?? handler.problem
        }
        return copy
    }

    /// The same with stamps: facts that all of its tasks carry in their headers, those that are sent
    /// when it ends included, for monitors and for `revoke_by_stamped_headers`.
    ///
    /// Of a stamp that is there already, the older value stays. Unlike Celery's `stamp`, the body of
    /// a chord has them too.
    public func stamped(_ stamps: JSONObject) -> Signature {
        var copy = self
        switch shape {
        case .task: copy.add(stamps)
        case .chain(let steps): copy.shape = .chain(steps.map { $0.stamped(stamps) })
        case .group(let members): copy.shape = .group(members.map { $0.stamped(stamps) })
        case .chord(let header, let body):
            copy.shape = .chord(
                header: header.map { $0.stamped(stamps) }, body: body.stamped(stamps))
        }
        for option in ["link", "link_error"] where options[option] != nil {
            copy.options[option] = .array(list(option).map { Self.stamped($0, stamps) })
        }
        return copy
    }

    /// What is no signature stays as it is: it is refused when it is sent.
    private static func stamped(_ json: JSONValue, _ stamps: JSONObject) -> JSONValue {
        guard let signature = try? Signature(json: json) else { return json }
        return signature.stamped(stamps).json
    }

    private mutating func add(_ stamps: JSONObject) {
        var names = options["stamped_headers"]?.arrayValue ?? []
        for (name, value) in stamps where !names.contains(.string(name)) {
            names.append(.string(name))
            options[name] = value
        }
        options["stamped_headers"] = .array(names)
    }
}
