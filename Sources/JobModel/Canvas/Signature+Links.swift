/// What is sent when a signature ends: Celery's `link` and `link_error`.
extension Signature {
    static let successKey = "link"
    static let failureKey = "link_error"

    /// The same, sending `callbacks` when it succeeds, each with its result as first argument.
    ///
    /// A chain sends them after its last step, a chord after its body. A group is no task and has no
    /// result: as in Celery, its first member sends them, without an argument; make it a chord to
    /// wait for all.
    public func onSuccess(_ callbacks: Signature...) -> Signature {
        callbacks.reduce(self) { $0.linking($1) }
    }

    /// The same, sending `handlers` when it fails for good, each with the id of the failed task as
    /// first argument.
    ///
    /// Every step of a chain has them, every member of a group, and the body of a chord, which fails
    /// when a member of its header does. Of a job that registered with the worker as one that takes
    /// the whole failure, and of Python tasks of that kind, it is the worker that calls them.
    public func onFailure(_ handlers: Signature...) -> Signature {
        handlers.reduce(self) { $0.linkingError($1) }
    }

    private func linking(_ callback: Signature) -> Signature {
        var copy = self
        switch shape {
        case .task, .chain: copy.append(callback, under: Self.successKey)
        case .chord(let header, let body):
            copy.shape = .chord(header: header, body: body.linking(callback))
        case .group(var members):
            guard !members.isEmpty else { return self }
            members[0] = members[0].linking(callback.immutable)
            copy.shape = .group(members)
        }
        copy.problem = copy.problem ?? callback.problem
        return copy
    }

    private func linkingError(_ handler: Signature) -> Signature {
        var copy = self
        switch shape {
        case .task, .chain: copy.append(handler, under: Self.failureKey)
        case .chord(let header, let body):
            copy.shape = .chord(header: header, body: body.linkingError(handler))
        case .group(let members):
            copy.shape = .group(members.map { $0.linkingError(handler) })
        }
        copy.problem = copy.problem ?? handler.problem
        return copy
    }

    /// The same one twice is linked once, as in Celery.
    private mutating func append(_ link: Signature, under key: String) {
        var links = Self.linkList(options[key])
        let json = link.json
        if !links.contains(json) { links.append(json) }
        options[key] = .array(links)
    }

    mutating func edit(linksUnder key: String, _ change: (Signature) -> Signature) {
        options[key] = .array(
            Self.linkList(options[key]).map { json in
                // What is no signature is refused when it is sent.
                guard let link = try? Signature(json: json) else { return json }
                return change(link).json
            })
    }

    /// A single signature counts as a list of one.
    private static func linkList(_ value: JSONValue?) -> [JSONValue] {
        switch value {
        case .array(let items)?: items
        case nil, .null?: []
        case let single?: [single]
        }
    }
}
