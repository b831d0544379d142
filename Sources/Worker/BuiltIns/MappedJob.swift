import JobModel

/// `celery.map` and `celery.starmap`: one local job after the other, within a single run.
enum MappedJob {
    private struct Mapped: Decodable {
        let task: JSONValue
        let it: [JSONValue]
    }

    /// Runs the job for each item, which is its only argument.
    static func map(_ registry: JobRegistry, _ policy: JobPolicy) -> RegisteredJob {
        RegisteredJob("celery.map", policy: policy) { (given: Mapped, context) in
            try await results(of: given, registry, context) { [$0] }
        }
    }

    /// Runs the job for each item, which is the list of its arguments.
    static func starmap(_ registry: JobRegistry, _ policy: JobPolicy) -> RegisteredJob {
        RegisteredJob("celery.starmap", policy: policy) { (given: Mapped, context) in
            try await results(of: given, registry, context) { item in
                guard let args = item.arrayValue else {
                    throw PermanentFailure(
                        "an item of celery.starmap is no list of arguments",
                        raising: .builtin("TypeError", ["argument after * must be an iterable"]))
                }
                return args
            }
        }
    }

    private static func results(
        of given: Mapped, _ registry: JobRegistry, _ context: JobContext,
        args: (JSONValue) throws -> [JSONValue]
    ) async throws -> Verdict {
        let task = try Signature(json: given.task)
        guard let job = registry[task.name] else {
            throw PermanentFailure(
                "this worker has no job named \(task.name)",
                raising: PythonException(
                    module: "celery.exceptions", name: "NotRegistered",
                    arguments: [.string(task.name.text)]))
        }
        var results: [JSONValue] = []
        results.reserveCapacity(given.it.count)
        for item in given.it {
            try Task.checkCancellation()
            let body = MessageBody(args: try args(item) + task.args, kwargs: task.kwargs)
            guard case .finished(let result) = try await job.run(body, in: context) else {
                throw PermanentFailure("\(task.name) cannot be put off or replaced inside a map")
            }
            results.append(result)
        }
        return .finished(result: .array(results))
    }
}
