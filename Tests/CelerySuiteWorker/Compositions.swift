import JobModel

/// Tasks that send workflows, or are replaced by them.
enum Compositions {
    private struct Pair: Decodable {
        let x: JSONValue
        let y: JSONValue
    }

    private struct Numbers: Decodable {
        let nums: [JSONValue]
        let val: JSONValue
    }

    private struct Nesting: Decodable {
        let replacements: Int
        let nesting: [JSONValue]?
    }

    private struct Phase: Decodable {
        let state: Bool?
    }

    private struct Stamping: Decodable {
        let replaceWith: JSONValue?

        private enum CodingKeys: String, CodingKey {
            case replaceWith = "replace_with"
        }
    }

    static func jobs(_ side: SideChannel) -> [RegisteredJob] {
        sending + replacing + secondOrder(side)
    }

    private static let add = Suite.signature("add")

    private static var sending: [RegisteredJob] {
        [
            Suite.task("chain_add") { (given: Pair, context) in
                try context.send(
                    .chain([
                        Suite.signature("add", given.x, given.x), Suite.signature("add", given.y),
                    ]))
                return .done
            },
            Suite.task("chord_add") { (given: Pair, context) in
                try context.send(
                    .chord(
                        [Suite.signature("add", given.x, given.x)],
                        body: Suite.signature("add", given.y)))
                return .done
            },
            Suite.task("build_chain_inside_task") { (_: NoArguments, context) in
                let sent = try context.send(
                    .chain([
                        Suite.signature("add", 1, 1), Suite.signature("add", 2),
                        .group([Suite.signature("add", 3), Suite.signature("add", 4)]),
                        Suite.signature("add", 5),
                    ]))
                return .finished(result: sent.result)
            },
            Suite.task("add_to_all_to_chord") { (given: Numbers, context) in
                for number in given.nums {
                    try context.addToChord(Suite.signature("add", number, given.val))
                }
                return .finished(result: 0)
            },
            Suite.task("add_chord_to_chord") { (given: Numbers, context) in
                try context.addToChord(
                    .chord(members(given), body: Suite.signature("tsum")))
                return .finished(result: 0)
            },
        ]
    }

    private static var replacing: [RegisteredJob] {
        [
            Suite.task("add_replaced") { (given: Pair, _) in
                .replaced(with: Suite.signature("add", given.x, given.y))
            },
            Suite.task("add_replaced_with_chain") { (given: Pair, _) in
                .replaced(
                    with: .chain([
                        Suite.signature("add", given.x, given.y), Suite.signature("identity"),
                    ]))
            },
            Suite.task("add_to_all") { (given: Numbers, _) in
                .replaced(with: .group(members(given)))
            },
            Suite.task("replace_with_chain") { (given: RawArguments, _) in
                let steps = [identity(given), Suite.signature("identity")]
                return .replaced(with: .chain(steps, options: ["link": [echo(given).json]]))
            },
            Suite.task("replace_with_chain_which_raises") { (given: RawArguments, _) in
                let steps = [identity(given), Suite.signature("raise_error")]
                return .replaced(with: .chain(steps, options: ["link_error": [echo(given).json]]))
            },
            Suite.task("replace_with_empty_chain") { (_: RawArguments, _) in
                .replaced(with: .chain([]))
            },
            Suite.task("replace_with_chain_which_contains_a_group") { (_: NoArguments, _) in
                .replaced(
                    with: .chain([
                        Suite.signature("add", 1, 2),
                        .group([Suite.signature("add", 1), Suite.signature("add", 1)]),
                    ]))
            },
            Suite.task("fail_replaced") { (given: RawArguments, _) in
                .replaced(with: Signature(Suite.name("fail"), args: given.args).immutable)
            },
            Suite.task("record_replaced_task_nesting") { (given: Nesting, context) in
                let levels =
                    (given.nesting ?? []) + [Python.json(context.request?.replacements ?? 0)]
                guard given.replacements > 0 else { return .finished(result: .array(levels)) }
                return .replaced(
                    with: Suite.signature(
                        "record_replaced_task_nesting", Python.json(given.replacements - 1),
                        .array(levels)))
            },
            Suite.task("replace_with_stamped_task") { (given: Stamping, _) in
                let next =
                    try given.replaceWith.map { try Signature(json: $0) }
                    ?? Suite.signature("replaced_with_me")
                return .replaced(
                    with: next.stamped(["StampOnReplace": "This is the replaced task"]))
            },
        ]
    }

    /// Tasks that are replaced by what is replaced itself.
    private static func secondOrder(_ side: SideChannel) -> [RegisteredJob] {
        [
            Suite.task("second_order_replace1") { (given: Phase, _) in
                guard given.state != true else {
                    try await side.append("Out A", to: "redis-echo")
                    return .done
                }
                try await side.append("In A", to: "redis-echo")
                return .replaced(
                    with: .chain([
                        Suite.signature("second_order_replace2"),
                        Suite.signature("second_order_replace1", kwargs: ["state": true])
                            .immutable,
                    ]))
            },
            Suite.task("second_order_replace2") { (given: Phase, _) in
                guard given.state != true else {
                    try await side.append("Out B", to: "redis-echo")
                    return .done
                }
                try await side.append("In B", to: "redis-echo")
                return .replaced(
                    with: .chain([
                        Suite.signature("redis_echo", "In/Out C"),
                        Suite.signature("second_order_replace2", kwargs: ["state": true])
                            .immutable,
                    ]))
            },
        ]
    }

    private static func members(_ given: Numbers) -> [Signature] {
        given.nums.map { Suite.signature("add", $0, given.val) }
    }

    private static func identity(_ given: RawArguments) -> Signature {
        Signature(Suite.name("identity"), args: given.args)
    }

    private static func echo(_ given: RawArguments) -> Signature {
        guard let message = given.kwargs["link_msg"], !message.isNull else {
            return Suite.signature("redis_echo")
        }
        return Suite.signature("redis_echo", message).immutable
    }
}
