/// Whose results make up the result of what was sent: a task's own, of a group its members'.
package indirect enum ResultTree: Sendable, Equatable {
    case task(JobID)
    case group([ResultTree])

    /// Reads `[[id, parent], children]`; children are null for a task, trees for a group.
    ///
    /// Parents are over, and do not count. Returns nil when it is something else.
    package init?(tuple: JSONValue) {
        guard let parts = tuple.arrayValue, parts.count == 2,
            let id = parts[0].arrayValue?.first?.stringValue
        else { return nil }
        guard let children = parts[1].arrayValue else {
            self = .task(JobID(id))
            return
        }
        let trees = children.compactMap(ResultTree.init(tuple:))
        guard trees.count == children.count else { return nil }
        self = .group(trees)
    }

    /// The tasks in order.
    package var leaves: [JobID] {
        switch self {
        case .task(let id): [id]
        case .group(let trees): trees.flatMap(\.leaves)
        }
    }

    /// The values of the tasks in its shape, a list for a group; nil when one is missing.
    package func value(_ known: (JobID) -> JSONValue?) -> JSONValue? {
        switch self {
        case .task(let id): return known(id)
        case .group(let trees):
            var values: [JSONValue] = []
            values.reserveCapacity(trees.count)
            for tree in trees {
                guard let value = tree.value(known) else { return nil }
                values.append(value)
            }
            return .array(values)
        }
    }
}
