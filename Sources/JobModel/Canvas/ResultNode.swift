/// The result of a signature: a task's id with its parent, or a group's with its members.
///
/// A reference, because a step of a chain learns its parent only after it was made. Lives within one
/// call of a publisher.
final class ResultNode {
    let id: String
    var parent: ResultNode?
    /// `nil` for a task.
    let children: [ResultNode]?

    init(_ id: String, children: [ResultNode]? = nil) {
        self.id = id
        self.children = children
    }

    /// `[[id, parent], children]`, what Python's `result_from_tuple` reads.
    var tuple: JSONValue {
        [
            [.string(id), parent?.tuple ?? .null],
            children.map { .array($0.map(\.tuple)) } ?? .null,
        ]
    }

    /// The first ancestor, or itself.
    var oldest: ResultNode {
        var node = self
        while let parent = node.parent { node = parent }
        return node
    }

    /// The node on the way to the first ancestor whose parent is `other`.
    func descendant(of other: ResultNode) -> ResultNode? {
        var node: ResultNode? = self
        while let current = node, current.parent !== other { node = current.parent }
        return node
    }
}
