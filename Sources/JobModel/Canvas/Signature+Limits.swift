extension Signature {
    /// The most tasks in one composition, those in callbacks not counted.
    public static let maximumMembers = 100_000

    /// How many tasks it is made of.
    public var memberCount: Int {
        switch shape {
        case .task: 1
        case .chain(let members), .group(let members):
            members.reduce(0) { $0 + $1.memberCount }
        case .chord(let header, let body):
            header.reduce(body.memberCount) { $0 + $1.memberCount }
        }
    }

    /// Refuses what could not be built, and what is too large to be sent.
    ///
    /// - Throws: ``CanvasError`` `canvas.payload`, `canvas.empty`, or `canvas.too_large`.
    package func check() throws(CanvasError) {
        if let problem { throw problem }
        let count = memberCount
        guard count <= Self.maximumMembers else {
            throw CanvasError(
                code: "canvas.too_large",
                message: """
                    a workflow of \(count) tasks; at most \(Self.maximumMembers) are sent at once: \
                    use chunks, or send it in parts
                    """)
        }
    }
}
