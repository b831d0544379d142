/// One job for many items: Celery's `map`, `starmap` and `chunks`.
extension Signature {
    /// One task that runs `job` for each item, one after the other, and returns the list of results.
    ///
    /// The worker that gets it must know `job`.
    public static func map(_ job: Signature, over items: [JSONValue]) -> Signature {
        each("celery.map", job, items)
    }

    /// The same, each item being the list of the job's arguments.
    public static func starmap(_ job: Signature, over items: [[JSONValue]]) -> Signature {
        each("celery.starmap", job, items.map(JSONValue.array))
    }

    /// A group of such tasks, each with up to `size` items: less to send and to keep than a member
    /// for every item.
    public static func chunks(
        _ job: Signature, over items: [[JSONValue]], size: Int
    ) -> Signature {
        precondition(size > 0, "a chunk has at least one item")
        return .group(
            stride(from: 0, to: items.count, by: size).map { start in
                .starmap(job, over: Array(items[start..<min(start + size, items.count)]))
            })
    }

    private static func each(
        _ name: JobName, _ job: Signature, _ items: [JSONValue]
    ) -> Signature {
        var signature = Signature(
            name, kwargs: ["task": job.json, "it": .array(items)], isImmutable: true)
        // What runs it is what knows the job: its queue.
        if let queue = job.options["queue"] { signature.options["queue"] = queue }
        signature.problem = job.problem
        return signature
    }
}
