import JobModel

/// Whose results make up the result of what was sent.
struct ResultTree {
    private indirect enum Node {
        case task
        case group([Node])
    }

    private let root: Node
    /// The tasks in order.
    let leaves: [JobID]

    /// Reads `[[id, parent], children]`; children are null for a task, trees for a group.
    init(_ sent: SentSignature) {
        var leaves: [JobID] = []
        root = Self.read(sent.result, into: &leaves)
        self.leaves = leaves
    }

    private static func read(_ tuple: JSONValue, into leaves: inout [JobID]) -> Node {
        let parts = tuple.arrayValue ?? []
        if parts.count > 1, let children = parts[1].arrayValue {
            return .group(children.map { read($0, into: &leaves) })
        }
        if let id = parts.first?.arrayValue?.first?.stringValue { leaves.append(JobID(id)) }
        return .task
    }

    /// The values of the leaves, in its shape.
    func filled(with values: [JSONValue]) -> JSONValue {
        var rest = values[...]
        return Self.fill(root, from: &rest)
    }

    private static func fill(
        _ node: Node, from values: inout ArraySlice<JSONValue>
    ) -> JSONValue {
        switch node {
        case .task: values.popFirst() ?? .null
        case .group(let children): .array(children.map { fill($0, from: &values) })
        }
    }
}
