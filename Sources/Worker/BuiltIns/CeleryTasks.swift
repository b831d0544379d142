import JobModel

/// The tasks that Celery itself has and sends, so that every worker must know them.
enum CeleryTasks {
    /// None of them is tried again: what fails in them fails the same way the next time.
    private static let policy = JobPolicy(retry: .never)

    /// All of them; those that run other jobs find these in `registry`.
    static func all(over registry: JobRegistry) -> [RegisteredJob] {
        [
            accumulate, chunks, ping, nothing("celery.backend_cleanup"),
            nothing("celery.chord_unlock"), MappedJob.map(registry, policy),
            MappedJob.starmap(registry, policy),
        ]
    }

    /// Its arguments, or the one at `index`: what a replaced group's results are gathered by.
    private static let accumulate = RegisteredJob("celery.accumulate", policy: policy) {
        (given: RawArguments, _) in
        guard let index = given.kwargs["index"], !index.isNull else {
            return .finished(result: .array(given.args))
        }
        guard let place = index.intValue,
            let value = given.args.item(at: place)
        else {
            throw PermanentFailure(
                "celery.accumulate has no argument at its index",
                raising: .builtin("IndexError", ["tuple index out of range"]))
        }
        return .finished(result: value)
    }

    private struct Chunked: Decodable {
        let task: JSONValue
        let it: [JSONValue]
        let n: Int
    }

    /// Sends a group of starmaps of `n` items each.
    private static let chunks = RegisteredJob("celery.chunks", policy: policy) {
        (given: Chunked, context) in
        guard given.n > 0 else {
            throw PermanentFailure(
                "the size of a chunk must be positive",
                raising: .builtin("ValueError", ["the size of a chunk must be positive"]))
        }
        let task = try Signature(json: given.task)
        let parts = stride(from: 0, to: given.it.count, by: given.n).map { start in
            let items = given.it[start..<min(start + given.n, given.it.count)]
            return Signature(
                "celery.starmap", kwargs: ["task": task.json, "it": .array(Array(items))],
                options: task.placement, isImmutable: true)
        }
        guard !parts.isEmpty else { return .finished(result: []) }
        return .finished(result: try context.send(.group(parts)).result)
    }

    private static let ping = RegisteredJob("celery.ping", policy: policy) {
        (_: RawArguments, _) in .finished(result: "pong")
    }

    /// Redis drops results by itself, and chords are counted in it: there is nothing to do.
    private static func nothing(_ name: JobName) -> RegisteredJob {
        RegisteredJob(name, policy: policy) { (_: RawArguments, _) in .done }
    }
}

extension Signature {
    /// Where it is to go and how urgent it is, for jobs made of it.
    fileprivate var placement: JSONObject {
        JSONObject(
            ["queue", "exchange", "routing_key", "priority"].compactMap { key in
                options[key].map { (key, $0) }
            })
    }
}

extension [JSONValue] {
    /// The item at that place, counted from the end when it is negative, as in Python.
    fileprivate func item(at place: Int) -> JSONValue? {
        let place = place < 0 ? count + place : place
        // As a conditional expression `nil` would be JSON's null.
        guard indices.contains(place) else { return nil }
        return self[place]
    }
}
