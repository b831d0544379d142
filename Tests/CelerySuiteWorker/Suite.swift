import JobModel

/// What the tasks of the suite have in common.
enum Suite {
    /// Nothing is tried again unless the task asks for it.
    static let policy = JobPolicy(retry: .never)

    /// The name a task has in the suite.
    static func name(_ task: String) -> JobName { JobName("t.integration.tasks.\(task)") }

    /// A task of the suite.
    static func task<Payload: Decodable & Sendable>(
        _ name: String, policy: JobPolicy = policy, handlesFailures: Bool = false,
        run: @escaping @Sendable (Payload, JobContext) async throws -> Verdict
    ) -> RegisteredJob {
        RegisteredJob(
            Self.name(name), policy: policy, handlesFailures: handlesFailures, run: run)
    }

    /// A task of the suite, to be sent.
    static func signature(
        _ task: String, _ args: JSONValue..., kwargs: JSONObject = JSONObject()
    ) -> Signature {
        Signature(name(task), args: args, kwargs: kwargs)
    }

    /// What tests of failures expect.
    static func expected(_ args: [JSONValue]) -> PythonException {
        PythonException(
            module: "t.integration.tasks", name: "ExpectedException", arguments: args)
    }

    /// Whether Python would take the value for true.
    static func isTrue(_ value: JSONValue?) -> Bool {
        switch value {
        case nil, .null?: false
        case .bool(let flag)?: flag
        case .number(let number)?: number.doubleValue != 0
        case .string(let text)?: !text.isEmpty
        case .array(let items)?: !items.isEmpty
        case .object(let members)?: !members.isEmpty
        }
    }
}

/// A task of no arguments.
struct NoArguments: Decodable {}
