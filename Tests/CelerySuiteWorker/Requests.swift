import JobModel
import Logging

/// Tasks that tell what they know of themselves, or that they were run at all.
enum Requests {
    private struct Item: Decodable {
        let i: JSONValue
    }

    private struct Collected: Decodable {
        let res: JSONValue
        let i: JSONValue
    }

    private struct Echo: Decodable {
        let message: JSONValue
        let redisKey: String?

        private enum CodingKeys: String, CodingKey {
            case message
            case redisKey = "redis_key"
        }
    }

    private struct Key: Decodable {
        let redisKey: String?

        private enum CodingKeys: String, CodingKey {
            case redisKey = "redis_key"
        }
    }

    private struct Recorded: Decodable {
        let values: [JSONValue]
        let redisKey: String

        private enum CodingKeys: String, CodingKey {
            case values
            case redisKey = "redis_key"
        }
    }

    private struct Printed: Decodable {
        let logMessage: String?
        let printMessage: String?

        private enum CodingKeys: String, CodingKey {
            case logMessage = "log_message"
            case printMessage = "print_message"
        }
    }

    static func jobs(_ side: SideChannel) -> [RegisteredJob] {
        telling + recording(side)
    }

    private static var telling: [RegisteredJob] {
        var limited = Suite.policy
        limited.timeLimit = .seconds(45)
        limited.hardTimeLimit = .seconds(60)
        return [
            Suite.task("ids") { (given: Item, context) in
                .finished(result: ids(context, given.i))
            },
            Suite.task("collect_ids") { (given: Collected, context) in
                .finished(result: [given.res, ids(context, given.i)])
            },
            Suite.task("return_priority") { (_: RawArguments, context) in
                let priority = context.request?.priority.intValue ?? 0
                return .finished(result: "Priority: \(priority)")
            },
            Suite.task("return_request_eta") { (_: NoArguments, context) in
                .finished(result: context.request?.eta.map(JSONValue.string) ?? .null)
            },
            Suite.task("return_properties") { (_: NoArguments, context) in
                .finished(result: .object(context.request?.properties ?? JSONObject()))
            },
            Suite.task("return_request_time_limits", run: limits),
            Suite.task("task_with_declared_time_limits", policy: limited, run: limits),
            Suite.task("replaced_with_me") { (_: NoArguments, _) in .finished(result: true) },
            Suite.task("print_unicode") { (given: Printed, context) in
                context.logger.info("\(given.logMessage ?? "") \(given.printMessage ?? "")")
                return .done
            },
            Suite.task("sleeping") { (given: RawArguments, _) in
                try await Task.sleep(for: .seconds(given.argument(0, "i")?.doubleValue ?? 0))
                return .done
            },
        ]
    }

    private static func recording(_ side: SideChannel) -> [RegisteredJob] {
        [
            Suite.task("redis_echo") { (given: Echo, _) in
                try await side.append(text(given.message), to: given.redisKey ?? "redis-echo")
                return .done
            },
            Suite.task("redis_echo_group_id") { (given: Echo, context) in
                try await side.append(
                    context.groupID ?? "", to: given.redisKey ?? "redis-group-ids")
                return .done
            },
            Suite.task("redis_count") { (given: Key, _) in
                try await side.increment(given.redisKey ?? "redis-count")
                return .done
            },
            Suite.task("sum_and_record") { (given: Recorded, context) in
                try await side.append(context.id.text, to: given.redisKey)
                return .finished(result: try Python.sum(of: given.values))
            },
        ]
    }

    private static func ids(_ context: JobContext, _ item: JSONValue) -> JSONValue {
        [
            context.rootID.map(JSONValue.string) ?? .null,
            context.parentID.map(JSONValue.string) ?? .null, item,
        ]
    }

    private static func limits(_ given: NoArguments, _ context: JobContext) -> Verdict {
        let limits = context.request?.timeLimits.arrayValue ?? []
        return .finished(result: [
            "time_limit": limits.first ?? .null, "soft_time_limit": limits.last ?? .null,
        ])
    }

    /// The value as redis-py would write it.
    static func text(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): text
        case .number(let number): number.text
        case .bool(let flag): flag ? "True" : "False"
        // Bytes that are text.
        case .object(let members): members["__value__"]?.stringValue ?? ""
        case .null, .array: ""
        }
    }
}
