import JobModel

/// Adds two numbers: a step of a chain is given the first by the step before.
struct DrillAdd: Job {
    struct Payload: Codable, Sendable {
        let x: Int64
        let y: Int64
    }

    static let name: JobName = "drill.add"
    static let policy = Drills.policy

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        try .done(payload.x &+ payload.y)
    }
}

/// Adds up numbers, those in lists within the list too: what follows a group.
struct DrillSum: Job {
    struct Payload: Codable, Sendable { let values: [JSONValue] }

    static let name: JobName = "drill.sum"
    static let policy = Drills.policy

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        try .done(try Self.sum(payload.values))
    }

    private static func sum(_ values: [JSONValue]) throws(PermanentFailure) -> Int {
        var total = 0
        for value in values {
            if let number = value.intValue {
                total &+= number
            } else if let list = value.arrayValue {
                total &+= try sum(list)
            } else {
                throw PermanentFailure("only whole numbers and lists of them can be added up")
            }
        }
        return total
    }
}

/// Has a workflow take its place, which is given its number; without one it replaces itself for ever.
struct DrillReplace: Job {
    struct Payload: Codable, Sendable {
        let x: Int64
        /// A signature, as JSON.
        let by: JSONValue?
    }

    static let name: JobName = "drill.replace"
    static let policy = Drills.policy

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let number = JSONValue.number(JSONNumber(payload.x))
        guard let by = payload.by else {
            return .replaced(with: Signature(Self.name, args: [number]).on(queue: context.queue))
        }
        let first = Signature(DrillAdd.name, args: [number, 0]).on(queue: context.queue)
        return .replaced(with: .chain([first, try Signature(json: by)]))
    }
}
