extension Signature {
    /// The same, with stamps on every job in it: its members, its steps, its body.
    ///
    /// A stamp is a header that goes with a job through its retries and to the jobs it sends, so that
    /// a whole workflow can be found, or revoked, by it. A job that has a stamp of that name is given
    /// the new value.
    public func stamped(_ stamps: JSONObject) -> Signature { stamped(stamps, replacing: true) }

    /// The same; unless `replacing`, stamps that are there already stay.
    func stamped(_ stamps: JSONObject, replacing: Bool) -> Signature {
        guard !stamps.isEmpty else { return self }
        var copy = self
        switch shape {
        case .task:
            let old = options["stamped_headers"]?.arrayValue?.compactMap(\.stringValue) ?? []
            let names = Set(old).union(stamps.keys).sorted()
            copy.options["stamped_headers"] = .array(names.map(JSONValue.string))
            for (name, value) in stamps where replacing || !old.contains(name) {
                copy.options[name] = value
            }
        case .chain(let steps):
            copy.shape = .chain(steps.map { $0.stamped(stamps, replacing: replacing) })
        case .group(let members):
            copy.shape = .group(members.map { $0.stamped(stamps, replacing: replacing) })
        case .chord(let header, let body):
            copy.shape = .chord(
                header: header.map { $0.stamped(stamps, replacing: replacing) },
                body: body.stamped(stamps, replacing: replacing))
        }
        return copy
    }
}
