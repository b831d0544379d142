import JobModel

/// Sleeps, and returns the number it was given: a member of a chord.
struct DrillNumber: Job {
    struct Payload: Codable, Sendable {
        let number: Int64
        /// How long to sleep first.
        let milliseconds: Int64?
    }

    static let name: JobName = "drill.number"
    static let policy = Drills.policy

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let pause = try Drills.duration(Double(payload.milliseconds ?? 0) / 1000)
        if pause > .zero { try await ContinuousClock().sleep(for: pause) }
        return try .done(payload.number)
    }
}

/// Returns the values it was given: the body of a chord.
struct DrillGather: Job {
    struct Payload: Codable, Sendable { let values: [JSONValue] }

    static let name: JobName = "drill.gather"
    static let policy = Drills.policy

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        .finished(result: .array(payload.values))
    }
}
